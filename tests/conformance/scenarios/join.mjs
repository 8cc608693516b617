import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, until } from "../client.mjs";

after(disconnectAll);

test("a good token joins, a bad one is refused and tries again, a forbidden topic says why", async () => {
  const socket = connect();
  assert.deepEqual(await outcome(socket.channel("message:lobby", { last_seq: 3 }).join()), ["ok", {}]);
  const forbidden = socket.channel("message:direct:forbidden");
  assert.deepEqual(await outcome(forbidden.join()), ["error", { reason: "forbidden" }]);
  forbidden.leave();
  const unknown = socket.channel("nowhere:1");
  assert.deepEqual(await outcome(unknown.join()), ["error", { reason: "unmatched topic" }]);
  unknown.leave();

  const refused = connect({ params: { token: "bad" } });
  let errors = 0;
  refused.onError(() => (errors += 1));
  await until(() => errors >= 2, "a second attempt");
  assert.equal(refused.isConnected(), false);
});

test("every event reaches the sender and the other client, the sender before its reply", async () => {
  const [one, two] = [connect(), connect({ params: { token: "good2" } })].map((s) => s.channel("message:talk"));
  await outcome(one.join());
  await outcome(two.join());
  const order = [];
  one.on("new_msg", () => order.push("event"));
  const heard = new Promise((resolve) => two.on("new_msg", resolve));
  const [status] = await outcome(one.push("new_msg", { body: "héllo / 😀" }));
  order.push(status);
  assert.deepEqual(order, ["event", "ok"]);
  assert.deepEqual(await heard, { body: "héllo / 😀" });
  assert.deepEqual(await outcome(one.push("unknown", {})), ["error", { reason: "unmatched event" }]);
});
