import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, legacy, outcome, until } from "../client.mjs";

after(disconnectAll);

test("an authToken is taken, and stays out of the URL", { skip: legacy && "came with Phoenix 1.8" }, async () => {
  const socket = connect({ params: {}, authToken: "good2" });
  assert.deepEqual(await outcome(socket.channel("message:1").join()), ["ok", {}]);
  assert.equal(socket.conn.protocol, "phoenix");
  assert.ok(!socket.conn.url.includes("good2"));

  const refused = connect({ params: {}, authToken: "bad" });
  let errors = 0;
  refused.onError(() => (errors += 1));
  await until(() => errors >= 1);
  assert.equal(refused.isConnected(), false);
});
