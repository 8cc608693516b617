/** What the server says, field by field; `docs/protocol.md` explains each. */
export type ConversationType = "self" | "direct" | "group" | "family"
export type Role = "admin" | "member"
export type DeviceKind = "phone" | "tablet" | "computer"

/** A photo, a file or a voice note; where its bytes are is asked anew each time. */
export interface Attachment {
  readonly id: string
  readonly name: string | null
  readonly size: number
  readonly content_type: string
  readonly encrypted: boolean
  readonly width: number | null
  readonly height: number | null
  readonly thumbnail: boolean
  readonly duration_ms: number | null
  readonly waveform: readonly number[] | null
}

/** An attachment, and how far its upload is. */
export interface UploadView extends Attachment {
  readonly offset: number
  readonly finished: boolean
}

/** Addresses that this device can load without a token, for some minutes. */
export interface SignedUrls {
  readonly file: string
  readonly thumbnail: string | null
  readonly expires_at: string
}

/** How something says it is encrypted, as far as this client asks. */
export interface Enveloped {
  readonly encryption_flag: boolean
  readonly encryption_version: string | null
  readonly key_id: string | null
}

/** What one person answers to a message with a single sign. */
export interface Reaction extends Enveloped {
  readonly user_id: string
  /** Null when it does not open any more. */
  readonly emoji: string | null
}

export interface Message {
  readonly message_id: string
  readonly conversation_id: string
  readonly seq: number
  readonly user_id: string
  readonly device_id: string | null
  readonly message_type: string
  /** Null when the message was deleted, or does not open any more. */
  readonly body: string | null
  readonly client_id: string | null
  readonly reply_to: string | null
  readonly inserted_at: string
  readonly edited_at: string | null
  readonly deleted_at: string | null
  readonly deleted_by: string | null
  readonly reactions: readonly Reaction[]
  /** The position of its last change in the conversation: of two views, the larger one is right. */
  readonly change: number
  readonly encryption_flag: boolean
  readonly encryption_version: string | null
  readonly key_id: string | null
  readonly protocol: string | null
  /** Of the keys, as the sender's protocol counts; not the history's name. */
  readonly epoch: number | null
  readonly sender_device_id: string | null
  readonly attachments: readonly Attachment[]
  readonly error_code?: number | null
}

export interface ConversationSummary {
  readonly id: string
  readonly type: ConversationType
  readonly family_id: string | null
  readonly name: string | null
  readonly created_at: string
  readonly epoch: string
  readonly last_seq: number
  readonly last_change: number
  readonly members: readonly { readonly user_id: string; readonly role: Role }[]
  readonly encryption_policy: "required" | "optional" | "forbidden"
  readonly encryption_status: "enabled" | "disabled"
  readonly last_message: Message | null
  readonly unread: number
  readonly hidden: boolean
  readonly archived: boolean
  readonly muted_until: string | null
}

export interface Page {
  readonly messages: readonly Message[]
  readonly has_more: boolean
}

export interface Joined extends Page {
  readonly conversation: ConversationSummary
  readonly epoch: string
  readonly last_seq: number
  readonly recovered: boolean
  readonly last_change: number
  /** What has become of the messages that this device said it has. */
  readonly changes: readonly Message[]
  readonly has_more_changes: boolean
  readonly receipts: readonly Receipt[]
}

/** Changed messages, in the order of their last change. */
export interface ChangesPage {
  readonly changes: readonly Message[]
  readonly has_more: boolean
  readonly last_change: number
}

/** What a message said before it was edited. */
export interface Version extends Enveloped {
  readonly version: number
  readonly body: string | null
  readonly written_at: string
}

/** How far one device is. */
export interface Receipt {
  readonly user_id: string
  readonly device_id: string
  /** Null, where the device did not say. */
  readonly device_kind: DeviceKind | null
  readonly delivered_seq: number
  readonly read_seq: number
}

export interface Stored {
  readonly message_id: string
  readonly seq: number
  readonly inserted_at: string
}

export interface MessageStatus {
  readonly conversation_id: string
  readonly user_id: string
  readonly device_id: string
  readonly device_kind: DeviceKind | null
  readonly status: "delivered" | "read"
  readonly seq: number
}

export interface Family {
  readonly id: string
  readonly name: string
  readonly role: Role
}

/** What people can choose to be shown in. */
export type Color = "clay" | "honey" | "moss" | "pine" | "sea" | "iris" | "plum" | "rose"

/** Somebody, as others see this person; null is what this person has not chosen. */
export interface Person {
  readonly user_id: string
  readonly username: string
  readonly display_name: string | null
  readonly color: Color | null
  /** Where the picture is, for whoever asks with a token; a new picture has a new address. */
  readonly picture: string | null
}

export interface Member extends Person {
  readonly role: Role
}

export interface SessionView {
  readonly access_token: string
  readonly expires_in: number
  readonly refresh_token: string
  readonly user: { readonly id: string; readonly username: string }
  readonly device_id: string
}

/** A session, and the family that its person came into. */
export interface SignUpView extends SessionView {
  readonly family_id: string
}

/** A refusal on the socket. */
export interface Refusal {
  readonly reason: string
  readonly retry_in_ms?: number
}
