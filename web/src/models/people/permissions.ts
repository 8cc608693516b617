/** What a user may do in a conversation, by its type and, in a group, the user's role. */
import type { Role } from "../../api/types"
import type { ConversationInfo } from "../conversation-list"

export interface Permissions {
  readonly rename: boolean
  readonly addPeople: boolean
  readonly removePeople: boolean
  readonly changeRoles: boolean
  readonly leave: boolean
}

/** The server enforces the same rules; this avoids offering actions that it would reject. */
export function permissions(conversation: ConversationInfo, me: string): Permissions {
  const admin = roleOf(conversation, me) === "admin"
  const group = conversation.type === "group"
  return {
    rename: admin && (group || conversation.type === "family"),
    addPeople: admin && group,
    removePeople: admin && group,
    changeRoles: admin && group,
    leave: conversation.type === "direct" || (group && !isLastAdmin(conversation, me)),
  }
}

/** Whether the user is a group's only admin and must appoint another before leaving. */
export function isLastAdmin(conversation: ConversationInfo, userId: string): boolean {
  const admins = conversation.members.filter((member) => member.role === "admin")
  return conversation.members.length > 1 && admins.length === 1 && admins[0]?.user_id === userId
}

export function roleOf(conversation: ConversationInfo, userId: string): Role | undefined {
  return conversation.members.find((member) => member.user_id === userId)?.role
}
