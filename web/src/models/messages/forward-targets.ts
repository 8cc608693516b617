/** Which conversations a message can be sent on to. */
import type { Message } from "../../api/types"
import { attachmentsOf } from "./attachments"

/** Whether a conversation can take a message. Files are not encrypted yet, so one that requires encryption takes none. */
export function takesForwarded(message: Message, requiresEncryption: boolean): boolean {
  return !requiresEncryption || attachmentsOf(message).length === 0
}

/** Whether the server could read there what it cannot read here. */
export function revealsToServer(message: Message, requiresEncryption: boolean): boolean {
  return message.encryption_flag && !requiresEncryption
}
