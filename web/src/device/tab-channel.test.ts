import { expect, test, vi } from "vitest"

import { TabChannel } from "./tab-channel"

test("a message reaches every other tab of the account, and no other account", async () => {
  const [sender, receiver, stranger] = [new TabChannel("maja"), new TabChannel("maja"), new TabChannel("inga")]
  const [received, foreign] = [vi.fn(), vi.fn()]
  receiver.subscribe(received)
  stranger.subscribe(foreign)
  sender.post({ what: "outbox" })
  await vi.waitFor(() => expect(received).toHaveBeenCalledWith({ what: "outbox" }))
  expect(foreign).not.toHaveBeenCalled()
  for (const channel of [sender, receiver, stranger]) channel.close()
})

test("a message after the channel was closed is dropped without an error", () => {
  const channel = new TabChannel("maja")
  channel.close()
  expect(() => channel.post({ what: "outbox" })).not.toThrow()
})
