import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, until } from "../client.mjs";

after(disconnectAll);

test("a channel that crashes is rejoined by the client, and its neighbours notice nothing", async () => {
  const socket = connect();
  const crashing = socket.channel("message:crash");
  const neighbour = socket.channel("message:neighbour");
  await outcome(crashing.join());
  await outcome(neighbour.join());
  const reasons = [];
  crashing.onError((reason) => reasons.push(reason));
  neighbour.onError(() => reasons.push("neighbour"));
  const joinRef = crashing.joinRef();
  crashing.push("crash", {});
  await until(() => reasons.length === 1);
  assert.deepEqual(reasons, [{ reason: "channel_crash" }]);
  await until(() => crashing.state === "joined" && crashing.joinRef() !== joinRef);
  assert.equal((await outcome(crashing.push("new_msg", {})))[0], "ok");
  assert.equal((await outcome(neighbour.push("new_msg", {})))[0], "ok");
  assert.deepEqual(socket.closes, []);
});

test("a client that is disconnected comes back and rejoins", async () => {
  const socket = connect();
  const channel = socket.channel("message:disconnect");
  await outcome(channel.join());
  channel.push("disconnect_me", {});
  await until(() => socket.closes.length === 1);
  assert.deepEqual(socket.closes, [1001]);
  await until(() => channel.state === "joined");
  assert.equal((await outcome(channel.push("new_msg", {})))[0], "ok");
});
