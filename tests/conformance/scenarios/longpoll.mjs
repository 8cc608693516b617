import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, event, LongPoll, outcome, Presence, until } from "../client.mjs";

after(disconnectAll);

test("a long-polling client talks with one on a WebSocket", async () => {
  const polling = connect({ transport: LongPoll }).channel("message:poll");
  const direct = connect({ params: { token: "good2" } }).channel("message:poll");
  assert.deepEqual(await outcome(polling.join()), ["ok", {}]);
  await outcome(direct.join());

  const toDirect = event(direct, "new_msg");
  assert.equal((await outcome(polling.push("new_msg", { n: 1 })))[0], "ok");
  assert.deepEqual(await toDirect, { n: 1 });

  const toPolling = new Promise((resolve) => polling.on("new_msg", (m) => m.n === 2 && resolve(m)));
  await outcome(direct.push("new_msg", { n: 2 }));
  assert.deepEqual(await toPolling, { n: 2 });
  assert.equal((await outcome(polling.push("bin_echo", new Uint8Array([1, 2]).buffer)))[0], "error");
});

test("a refused long poll does not connect, a crash there is rejoined, presence works", async () => {
  const refused = connect({ transport: LongPoll, params: { token: "bad" } });
  let errors = 0;
  refused.onError(() => (errors += 1));
  await until(() => errors >= 1);
  refused.disconnect();

  const channel = connect({ transport: LongPoll }).channel("presence:poll");
  const presence = new Presence(channel);
  await outcome(channel.join());
  await until(() => presence.list((name) => name).join() === "good");
  let crashed = 0;
  channel.onError(() => (crashed += 1));
  channel.push("crash", {});
  await until(() => crashed === 1);
  await until(() => channel.state === "joined");
});
