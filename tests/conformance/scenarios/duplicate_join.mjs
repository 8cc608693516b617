import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, pause } from "../client.mjs";

after(disconnectAll);

test("joining a topic twice gives the newer channel, once", async () => {
  const socket = connect();
  const older = socket.channel("message:twice");
  await outcome(older.join());
  const newer = socket.channel("message:twice");
  assert.deepEqual(await outcome(newer.join()), ["ok", {}]);
  let heard = 0;
  newer.on("new_msg", () => (heard += 1));
  assert.equal((await outcome(newer.push("new_msg", {})))[0], "ok");
  await pause(50);
  assert.equal(heard, 1);
  assert.equal(newer.state, "joined");
  assert.notEqual(older.state, "joined");
  assert.ok(socket.frames.some((frame) => frame.event === "phx_close" && frame.ref !== null));
});
