// Shows the full address for clients, and opens a board by its code.
document.getElementById("address").textContent = `${location.origin}/socket.io/?session_code=…`;
document.getElementById("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = document.getElementById("code").value.trim();
  if (code) location.href = `/classroom/${encodeURIComponent(code)}`;
});
