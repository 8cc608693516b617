// One person at the official Phoenix client. Says everything it hears, a line of JSON each, until standard input ends.
import { Socket } from "../conformance/node_modules/phoenix/priv/static/phoenix.mjs";
import WebSocket from "../conformance/node_modules/ws/wrapper.mjs";

const { FAMICHAT_URL, TOKEN, TOPIC, ACKNOWLEDGE } = process.env;
const say = (event, payload) => console.log(JSON.stringify({ event, payload }));

const socket = new Socket(`${FAMICHAT_URL.replace(/^http/, "ws")}/socket`, { authToken: TOKEN, transport: WebSocket });
socket.connect();

const channel = socket.channel(TOPIC, {});
channel.on("new_msg", (message) => {
  say("new_msg", message);
  if (ACKNOWLEDGE) {
    channel.push("message_ack", { seq: message.seq, status: "read" }).receive("ok", (reply) => say("acknowledged", reply));
  }
});
channel.on("message_status", (status) => say("message_status", status));
channel
  .join()
  .receive("ok", ({ last_seq, encryption_status }) => say("joined", { last_seq, encryption_status }))
  .receive("error", (reason) => say("refused", reason));

process.stdin.on("end", () => socket.disconnect(() => process.exit(0))).resume();
