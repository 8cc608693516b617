import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect, disconnectAll, legacy, LongPoll, outcome } from "../client.mjs";

after(disconnectAll);

for (const [name, transport] of [["websocket", undefined], ["longpoll", LongPoll]]) {
  test(`a client whose ${name} connects too often comes back by itself`, async () => {
    const token = `limited-${name}-${legacy}`;
    let errors = 0;
    const socket = connect({ params: { token }, ...(transport && { transport }) });
    socket.onError(() => (errors += 1));
    assert.deepEqual(await outcome(socket.channel("message:1").join()), ["ok", {}]);
    assert.ok(errors >= 2);
  });
}
