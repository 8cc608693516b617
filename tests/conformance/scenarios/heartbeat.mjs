import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, until } from "../client.mjs";

after(disconnectAll);

test("heartbeats are answered, so the client stays connected", async () => {
  const socket = connect({ heartbeatIntervalMs: 30 });
  await outcome(socket.channel("message:1").join());
  const answers = () => socket.frames.filter((frame) => frame.topic === "phoenix" && frame.payload.status === "ok");
  await until(() => answers().length >= 4);
  assert.deepEqual(socket.closes, []);
});
