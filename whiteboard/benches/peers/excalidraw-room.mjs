// The protocol of excalidraw-room on socket.io 4, as a peer to measure against: rooms, and messages passed on unread.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket", "polling"], allowEIO3: true });

io.on("connection", (socket) => {
  io.to(socket.id).emit("init-room");
  socket.on("join-room", async (room) => {
    await socket.join(room);
    const users = io.sockets.adapter.rooms.get(room) ?? new Set();
    if (users.size <= 1) socket.emit("first-in-room");
    else socket.broadcast.to(room).emit("new-user", socket.id);
    io.in(room).emit("room-user-change", [...users]);
  });
  socket.on("server-broadcast", (room, data, iv) => {
    socket.broadcast.to(room).emit("client-broadcast", data, iv);
  });
  socket.on("server-volatile-broadcast", (room, data, iv) => {
    socket.volatile.broadcast.to(room).emit("client-broadcast", data, iv);
  });
});

http.listen(0, "127.0.0.1", () => process.stderr.write(`port ${http.address().port}\n`));
