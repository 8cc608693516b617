/** What somebody may do with a conversation: what its type allows, and in a group what the role allows. */
import type { ConversationSummary, Role } from "../api/types"

export interface Permissions {
  readonly rename: boolean
  readonly addPeople: boolean
  readonly removePeople: boolean
  readonly changeRoles: boolean
  readonly leave: boolean
}

/** The server holds everybody to the same; this is so that nobody is offered what it would refuse. */
export function permissions(conversation: ConversationSummary, me: string): Permissions {
  const admin = roleOf(conversation, me) === "admin"
  const group = conversation.type === "group"
  return {
    rename: admin && (group || conversation.type === "family"),
    addPeople: admin && group,
    removePeople: admin && group,
    changeRoles: admin && group,
    leave: group && !isLastAdmin(conversation, me),
  }
}

/** Whether a group would be without an admin, if this person left it: somebody else must become one first. */
export function isLastAdmin(conversation: ConversationSummary, userId: string): boolean {
  const admins = conversation.members.filter((member) => member.role === "admin")
  return conversation.members.length > 1 && admins.length === 1 && admins[0]?.user_id === userId
}

export function roleOf(conversation: ConversationSummary, userId: string): Role | undefined {
  return conversation.members.find((member) => member.user_id === userId)?.role
}
