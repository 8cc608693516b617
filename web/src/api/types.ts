/** Types of the server's responses; `docs/protocol.md` describes each field. */
export type ConversationType = "self" | "direct" | "group" | "family"
export type Role = "admin" | "member"
export type DeviceKind = "phone" | "tablet" | "computer"

/** A photo, file or voice note; its URL is requested each time. */
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

/** An attachment with its upload progress. */
export interface UploadView extends Attachment {
  readonly offset: number
  readonly finished: boolean
}

/** Signed URLs that this device can load without a token for a few minutes. */
export interface SignedUrls {
  readonly file: string
  readonly thumbnail: string | null
  readonly expires_at: string
}

/** The encryption metadata that this client uses. */
export interface Enveloped {
  readonly encryption_flag: boolean
  readonly encryption_version: string | null
  readonly key_id: string | null
}

/** One user's emoji reaction to a message. */
export interface Reaction extends Enveloped {
  readonly user_id: string
  /** Null if it cannot be decrypted. */
  readonly emoji: string | null
}

export interface Message {
  readonly message_id: string
  readonly conversation_id: string
  readonly seq: number
  readonly user_id: string
  readonly device_id: string | null
  readonly message_type: string
  /** Null if the message was deleted or cannot be decrypted. */
  readonly body: string | null
  readonly client_id: string | null
  readonly reply_to: string | null
  readonly inserted_at: string
  readonly edited_at: string | null
  readonly deleted_at: string | null
  readonly deleted_by: string | null
  readonly reactions: readonly Reaction[]
  /** Number of its last change in the conversation; of two versions, the larger one is current. */
  readonly change: number
  readonly encryption_flag: boolean
  readonly encryption_version: string | null
  readonly key_id: string | null
  readonly protocol: string | null
  /** Key epoch of the encryption protocol; not the database epoch. */
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
  /** Changes to the messages that this device has. */
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

/** A former version of an edited message. */
export interface Version extends Enveloped {
  readonly version: number
  readonly body: string | null
  readonly written_at: string
}

/** The positions of one device. */
export interface Receipt {
  readonly user_id: string
  readonly device_id: string
  /** Null if unknown. */
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

/** Profile colours. */
export type Color = "clay" | "honey" | "moss" | "pine" | "sea" | "iris" | "plum" | "rose"

/** A person's public profile; null for what the person has not chosen. */
export interface Person {
  readonly user_id: string
  readonly username: string
  readonly display_name: string | null
  readonly color: Color | null
  /** Path of the avatar, to be requested with a token; a new avatar has a new path. */
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

/** A session, with the family that the user joined. */
export interface SignUpView extends SessionView {
  readonly family_id: string
}

/** An error reply on the socket. */
export interface Refusal {
  readonly reason: string
  readonly retry_in_ms?: number
}
