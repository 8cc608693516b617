/** Messages and conversations of a family, for the tests of the models. */
import type { Attachment, ConversationSummary, Message, MessagePage } from "../api/types"
import type { OutgoingMessage } from "./messages/outbox"

export function message(seq: number, change: Partial<Message> = {}): Message {
  return {
    message_id: `m${seq}`,
    conversation_id: "kitchen",
    seq,
    user_id: "inga",
    device_id: "tablet",
    message_type: "text",
    body: `message ${seq}`,
    client_id: `c${seq}`,
    reply_to: null,
    inserted_at: new Date(Date.UTC(2026, 10, 23, 12, 0, seq)).toISOString(),
    edited_at: null,
    deleted_at: null,
    deleted_by: null,
    reactions: [],
    change: 0,
    encryption_flag: false,
    encryption_version: null,
    key_id: null,
    protocol: null,
    epoch: null,
    sender_device_id: null,
    attachments: [],
    ...change,
  }
}

export const attachment: Attachment = {
  id: "a",
  name: null,
  size: 1,
  content_type: "application/pdf",
  encrypted: false,
  width: null,
  height: null,
  thumbnail: false,
  duration_ms: null,
  waveform: null,
}

export function messages(from: number, to: number): Message[] {
  return Array.from({ length: to - from + 1 }, (_, index) => message(from + index))
}

export function page(from: number, to: number): MessagePage {
  return { messages: messages(from, to), has_more: from > 1 }
}

export function conversation(id: string, change: Partial<ConversationSummary> = {}): ConversationSummary {
  return {
    id,
    type: "group",
    family_id: "sundqvist",
    name: id,
    created_at: "2026-11-01T00:00:00Z",
    epoch: "e1",
    last_seq: 0,
    last_change: 0,
    history: "joined",
    members: ["maja", "inga", "nils"].map((user_id) => ({ user_id, role: "member" })),
    encryption_policy: "optional",
    encryption_status: "disabled",
    last_message: null,
    unread: 0,
    hidden: false,
    hidden_by_users: [],
    archived: false,
    pinned: false,
    marked_unread: false,
    mls: null,
    muted_until: null,
    contact: null,
    ...change,
  }
}

export function outgoing(client_id: string, conversation_id = "kitchen"): OutgoingMessage {
  return {
    client_id,
    conversation_id,
    text: client_id,
    sealed: { body: client_id },
    written_at: "2026-11-23T12:00:00Z",
  }
}
