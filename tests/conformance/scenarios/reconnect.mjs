import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, startServer, until } from "../client.mjs";

after(disconnectAll);

for (const [signal, code] of [["SIGTERM", 1012], ["SIGKILL", 1006]]) {
  test(`after ${signal} the client sees ${code}, comes back and rejoins by itself`, async () => {
    const server = await startServer();
    const socket = connect({}, server.url);
    const channel = socket.channel("message:restart");
    await outcome(channel.join());
    const joinRef = channel.joinRef();
    await server.stop(signal);
    await until(() => socket.closes.length > 0);
    assert.equal(socket.closes[0], code);
    assert.ok(!socket.frames.some((frame) => ["phx_close", "phx_error"].includes(frame.event)));

    const again = await startServer(server.port);
    await until(() => channel.state === "joined" && channel.joinRef() !== joinRef);
    assert.equal((await outcome(channel.push("new_msg", {})))[0], "ok");
    socket.disconnect();
    await again.stop();
  });
}

test("a client without a channel is told 1012 as well", async () => {
  const server = await startServer();
  const socket = connect({}, server.url);
  await until(() => socket.isConnected());
  await server.stop();
  await until(() => socket.closes.length > 0);
  assert.equal(socket.closes[0], 1012);
  socket.disconnect();
});
