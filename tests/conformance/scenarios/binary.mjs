import assert from "node:assert/strict";
import { after, test } from "node:test";
import { bytes, connect, disconnectAll, event, outcome } from "../client.mjs";

after(disconnectAll);

test("bytes come back as reply, push and broadcast", async () => {
  const [one, two] = [connect(), connect({ params: { token: "good2" } })].map((s) => s.channel("message:binary"));
  await outcome(one.join());
  await outcome(two.join());
  const data = bytes(0, 1, 254, 255, 10);

  const [status, response] = await outcome(one.push("bin_echo", data));
  assert.equal(status, "ok");
  assert.deepEqual(new Uint8Array(response), new Uint8Array(data));

  const pushed = event(one, "bin_push");
  one.push("bin_push", data);
  assert.deepEqual(new Uint8Array(await pushed), new Uint8Array(data));

  const broadcast = event(two, "bin_msg");
  assert.equal((await outcome(one.push("bin_msg", data)))[0], "ok");
  assert.deepEqual(new Uint8Array(await broadcast), new Uint8Array(data));
});
