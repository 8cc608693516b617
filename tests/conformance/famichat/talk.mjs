import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, event, legacy, LongPoll, outcome, pause, Presence, until } from "../client.mjs";

after(disconnectAll);

const { MAJA, EMIL, ADA, DIRECT, MAJA_ID, EMIL_ID } = process.env;
const TOPIC = `message:direct:${DIRECT}`;
const withToken = (token) => ({ params: { token } });

test("two people talk, see each other, and acknowledge", async () => {
  const maja = connect(withToken(MAJA)).channel(TOPIC);
  const emil = connect(withToken(EMIL)).channel(TOPIC);
  const here = new Presence(maja);
  assert.equal((await outcome(maja.join()))[0], "ok");
  assert.equal((await outcome(emil.join()))[0], "ok");
  await until(() => here.list((id) => id).sort().join() === [MAJA_ID, EMIL_ID].sort().join(), "presence shows both");

  const heard = event(emil, "new_msg");
  const [status, stored] = await outcome(maja.push("new_msg", { body: "Hej!", client_id: "c1" }));
  assert.equal(status, "ok");
  assert.deepEqual(Object.keys(stored).sort(), ["inserted_at", "message_id", "seq"]);
  assert.equal((await heard).body, "Hej!");

  const told = event(maja, "message_status");
  assert.deepEqual(await outcome(emil.push("message_ack", { seq: stored.seq, status: "read" })), ["ok", {}]);
  assert.equal((await told).user_id, EMIL_ID);

  assert.deepEqual((await outcome(maja.push("new_msg", { body: "Hej!", client_id: "c1" })))[1], stored);
});

test("who was cut off rejoins by itself, and last_seq brings what was missed, once", async () => {
  const writer = connect(withToken(MAJA)).channel(TOPIC);
  await outcome(writer.join());
  const seen = [];
  const keep = ({ messages }) => messages.forEach((message) => seen.push(message.seq));
  const socket = connect(withToken(EMIL));
  // Phoenix asks for the parameters at each join.
  const reader = socket.channel(TOPIC, () => ({ last_seq: seen.at(-1) ?? 0 }));
  reader.on("new_msg", (message) => seen.push(message.seq));
  reader.join().receive("ok", keep);
  await until(() => seen.length > 0, "the past");

  for (let round = 0; round < 5; round++) {
    socket.conn.close();
    await outcome(writer.push("new_msg", { body: `round ${round}` }));
    const last = (await outcome(writer.push("new_msg", { body: "and on" })))[1].seq;
    await until(() => seen.at(-1) === last, `message ${last}`);
  }
  assert.deepEqual(seen, Array.from(seen, (_, index) => index + 1));
});

test("a stranger learns nothing, whatever the topic", async () => {
  const ada = connect({ ...withToken(ADA), rejoinAfterMs: () => 60000 });
  for (const topic of [TOPIC, `message:group:${DIRECT}`, "message:direct:nothing", `user:${MAJA_ID}`]) {
    assert.deepEqual(await outcome(ada.channel(topic).join()), ["error", { reason: "not_found" }]);
  }
  assert.deepEqual(await outcome(ada.channel("lobby").join()), ["error", { reason: "invalid_topic_format" }]);
});

test("a bad token opens nothing", async () => {
  const socket = connect({ ...withToken("forged"), reconnectAfterMs: () => 60000 });
  await until(() => socket.closes.length > 0, "a close");
  assert.equal(socket.isConnected(), false);
});

test("long poll does the same where WebSockets do not get through", async () => {
  const writer = connect(withToken(MAJA)).channel(TOPIC);
  await outcome(writer.join());
  const reader = connect({ ...withToken(EMIL), transport: LongPoll }).channel(TOPIC);
  assert.equal((await outcome(reader.join()))[0], "ok");
  const heard = event(reader, "new_msg");
  await outcome(writer.push("new_msg", { body: "the slow way" }));
  assert.equal((await heard).body, "the slow way");
  assert.equal((await outcome(reader.push("new_msg", { body: "and back" })))[0], "ok");
});

test("authToken keeps the token out of the URL", { skip: legacy && "1.8 and newer" }, async () => {
  const socket = connect({ authToken: MAJA, params: {} });
  assert.equal((await outcome(socket.channel(TOPIC).join()))[0], "ok");
  assert.ok(!socket.endPointURL().includes(MAJA));
  await pause(0);
});
