import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, pause, until } from "../client.mjs";

after(disconnectAll);

test("a channel that is left is closed, hears nothing more, and can be joined again", async () => {
  const socket = connect();
  const channel = socket.channel("message:leave");
  await outcome(channel.join());
  let heard = 0;
  channel.on("new_msg", () => (heard += 1));
  assert.equal((await outcome(channel.leave()))[0], "ok");
  await until(() => socket.frames.some((frame) => frame.event === "phx_close"));
  const other = connect({ params: { token: "good2" } }).channel("message:leave");
  await outcome(other.join());
  await outcome(other.push("new_msg", {}));
  await pause(50);
  assert.equal(heard, 0);

  const again = socket.channel("message:leave");
  assert.deepEqual(await outcome(again.join()), ["ok", {}]);
  assert.equal((await outcome(again.push("new_msg", {})))[0], "ok");
});

test("a channel that the server stops is closed and not joined again", async () => {
  const socket = connect();
  const channel = socket.channel("message:stop");
  await outcome(channel.join());
  let closed = 0;
  channel.onClose(() => (closed += 1));
  channel.push("stop", {});
  await until(() => closed === 1);
  await pause(150);
  assert.equal(socket.channels.length, 0);
});
