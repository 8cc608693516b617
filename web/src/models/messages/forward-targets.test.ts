import { expect, test } from "vitest"

import { attachment, message } from "../fixtures"
import { revealsToServer, takesForwarded } from "./forward-targets"

test("a conversation that requires encryption takes texts, and no files yet", () => {
  const photo = message(1, { message_type: "image", attachments: [attachment] })
  expect([takesForwarded(message(1), true), takesForwarded(photo, true)]).toEqual([true, false])
  expect([takesForwarded(message(1), false), takesForwarded(photo, false)]).toEqual([true, true])
})

test("only an encrypted message that leaves for a conversation without encryption is revealed to the server", () => {
  const secret = message(1, { encryption_flag: true })
  expect([revealsToServer(secret, false), revealsToServer(secret, true)]).toEqual([true, false])
  expect([revealsToServer(message(1), false), revealsToServer(message(1), true)]).toEqual([false, false])
})
