// A board to look at: follows a session of the classroom protocol and draws its strokes. It sends nothing but what
// keeps the connection alive.
const code = decodeURIComponent(location.pathname.split("/").pop());
const canvas = document.getElementById("strokes");
const background = document.getElementById("background");
const status = document.getElementById("status");
document.title = document.getElementById("title").textContent = code;

let strokes = [];
let delay = 500;

const finite = (value, otherwise) => (Number.isFinite(value) ? value : otherwise);

function drawStroke(context, stroke) {
  const points = Array.isArray(stroke?.paths) ? stroke.paths.filter((p) => Number.isFinite(p?.x) && Number.isFinite(p?.y)) : [];
  if (points.length === 0) return;
  context.globalCompositeOperation = stroke.drawMode === false ? "destination-out" : "source-over";
  context.strokeStyle = context.fillStyle = typeof stroke.strokeColor === "string" ? stroke.strokeColor : "#000";
  context.lineWidth = Math.max(0.5, finite(stroke.strokeWidth, 4));
  context.beginPath();
  if (points.length === 1) {
    context.arc(points[0].x, points[0].y, context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(points[0].x, points[0].y);
  // Through the middles of neighbouring points, so that a quick hand leaves a curve and no corners.
  for (let i = 1; i < points.length - 1; i++) {
    context.quadraticCurveTo(points[i].x, points[i].y, (points[i].x + points[i + 1].x) / 2, (points[i].y + points[i + 1].y) / 2);
  }
  const last = points[points.length - 1];
  context.lineTo(last.x, last.y);
  context.stroke();
}

// Large boards are shown whole: strokes that reach beyond the window make everything smaller.
function extent() {
  let [right, bottom] = [1, 1];
  for (const stroke of strokes) {
    for (const point of Array.isArray(stroke?.paths) ? stroke.paths : []) {
      right = Math.max(right, finite(point?.x, 0) + 8);
      bottom = Math.max(bottom, finite(point?.y, 0) + 8);
    }
  }
  return [right, bottom];
}

let drawing = 0;
function redraw() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    const { clientWidth, clientHeight } = canvas;
    const dots = window.devicePixelRatio || 1;
    canvas.width = Math.round(clientWidth * dots);
    canvas.height = Math.round(clientHeight * dots);
    const [right, bottom] = extent();
    const scale = Math.min(1, clientWidth / right, clientHeight / bottom) * dots;
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.lineCap = context.lineJoin = "round";
    strokes.forEach((stroke) => drawStroke(context, stroke));
    const count = strokes.length === 1 ? "1 stroke" : `${strokes.length} strokes`;
    status.textContent = `live · ${count}`;
  });
}

function showBackground(image) {
  const usable = typeof image === "string" && image.startsWith("data:image/");
  background.hidden = !usable;
  if (usable) background.src = image;
  else background.removeAttribute("src");
}

function receive(name, payload) {
  if (Array.isArray(payload?.paths)) {
    strokes = payload.paths;
    redraw();
  }
  if (typeof payload?.background_image === "string") showBackground(payload.background_image);
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams({ EIO: "4", transport: "websocket", session_code: code });
  const socket = new WebSocket(`${scheme}://${location.host}/socket.io/?${query}`);
  socket.onmessage = ({ data }) => {
    if (data.startsWith("0")) socket.send("40");
    else if (data === "2") socket.send("3");
    else if (data.startsWith("40")) delay = 500;
    else if (data.startsWith("42")) receive(...JSON.parse(data.slice(2)));
    else if (data.startsWith("44")) status.textContent = JSON.parse(data.slice(2)).message;
  };
  socket.onclose = () => {
    status.textContent = "the connection is lost, trying again …";
    // A class that comes back all at once after a restart should not come back all at once.
    setTimeout(connect, delay * (0.5 + Math.random()));
    delay = Math.min(delay * 2, 10_000);
  };
}

addEventListener("resize", redraw);
connect();
