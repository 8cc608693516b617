// A socket.io server that relays events to rooms and stores nothing. The environment variable PORT is its port.
const { Server } = require("socket.io")
const io = new Server(Number(process.env.PORT), {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
})
io.on("connection", (socket) => {
  socket.on("enter", (room) => socket.join(room))
  socket.on("relay", (room, text) => io.to(room).emit("msg", text))
})
