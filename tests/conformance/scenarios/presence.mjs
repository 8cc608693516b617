import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, outcome, Presence, until } from "../client.mjs";

after(disconnectAll);

const names = (presence) => presence.list((name) => name).sort();
const statuses = (presence, name) =>
  presence.list((each, { metas }) => (each === name ? metas.map((meta) => meta.status) : [])).flat();

test("two clients see each other come, change and go", async () => {
  const first = connect().channel("presence:room");
  const one = new Presence(first);
  await outcome(first.join());
  await until(() => names(one).join() === "good", "one sees itself");

  const secondSocket = connect({ params: { token: "good2" } });
  const second = secondSocket.channel("presence:room");
  const two = new Presence(second);
  await outcome(second.join());
  await until(() => names(one).join() === "good,good2", "one sees two");
  await until(() => names(two).join() === "good,good2", "two sees both");

  await outcome(second.push("update", { status: "away" }));
  await until(() => statuses(one, "good2").join() === "away", "one sees the change");
  assert.deepEqual(statuses(two, "good2"), ["away"]);

  second.push("crash", {});
  await until(() => names(one).join() === "good,good2" && statuses(one, "good2").join() === "here", "two is back");

  const tab = connect({ params: { token: "good2" } });
  await outcome(tab.channel("presence:room").join());
  await until(() => statuses(one, "good2").length === 2, "a second device is a second meta");
  tab.disconnect();
  await until(() => statuses(one, "good2").length === 1, "and goes by itself");

  secondSocket.disconnect();
  await until(() => names(one).join() === "good", "one sees two leave");
});
