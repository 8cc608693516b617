import { expect, test } from "vitest"

import type { Message } from "../../api/types"
import { attachment, message } from "../fixtures"
import { followingVoiceMessage } from "./voice-messages"

const voice = (id: string) => ({ ...attachment, id, content_type: "audio/mp4", duration_ms: 3_000 })
const DELETED = "2026-11-23T12:00:00Z"

const following = (messages: readonly Message[], id: string) => {
  const [first] = messages
  const played = first!.attachments.find((each) => each.id === id)!
  return followingVoiceMessage(messages, { message: first!, attachment: played })?.attachment.id
}

test("playback continues with the next voice message of the same message, then of the chat", () => {
  const messages = [message(1, { attachments: [voice("a"), voice("b")] }), message(2, { attachments: [voice("c")] })]
  expect(following(messages, "a")).toBe("b")
  expect(following(messages, "b")).toBe("c")
})

test("playback ends before any other message, and at the end of the chat", () => {
  const played = message(1, { attachments: [voice("a")] })
  expect(following([played, message(2), message(3, { attachments: [voice("c")] })], "a")).toBeUndefined()
  expect(following([played, message(2, { attachments: [attachment] })], "a")).toBeUndefined()
  expect(following([played], "a")).toBeUndefined()
})

test("a deleted message does not end playback", () => {
  const deleted = message(2, { deleted_at: DELETED })
  expect(
    following([message(1, { attachments: [voice("a")] }), deleted, message(3, { attachments: [voice("c")] })], "a"),
  ).toBe("c")
})
