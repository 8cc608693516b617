import assert from "node:assert/strict";
import { createServer, connect as tcpConnect } from "node:net";
import { after, test } from "node:test";
import { connect, disconnectAll, LongPoll, outcome } from "../client.mjs";

after(disconnectAll);

// A network that lets HTTP through, but breaks every WebSocket.
function withoutWebSockets(port) {
  return new Promise((resolve) => {
    const proxy = createServer((client) => {
      client.once("data", (head) => {
        if (/upgrade: websocket/i.test(head.toString())) return client.destroy();
        const server = tcpConnect(port, "127.0.0.1", () => server.write(head));
        client.pipe(server).pipe(client);
        for (const side of [client, server]) side.on("error", () => (client.destroy(), server.destroy()));
      });
      client.on("error", () => client.destroy());
    }).listen(0, "127.0.0.1", () => resolve(proxy));
    proxy.unref();
  });
}

test("where WebSockets do not work, the client falls back to long poll by itself", async () => {
  const proxy = await withoutWebSockets(Number(new URL(process.env.SERVER_URL).port));
  const store = new Map();
  const sessionStorage = { getItem: (k) => store.get(k) ?? null, setItem: (k, v) => store.set(k, v) };
  const socket = connect({ longPollFallbackMs: 200, sessionStorage }, `http://127.0.0.1:${proxy.address().port}`);
  assert.deepEqual(await outcome(socket.channel("message:fallback").join()), ["ok", {}]);
  assert.equal(socket.transport, LongPoll);
});
