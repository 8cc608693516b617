/** How people are displayed: name, avatar or initial, and a stable colour. */
import { graphemes } from "../text/graphemes"
import type { Color, ConversationSummary, Person } from "../../api/types"

/** People by their ids. */
export type People = ReadonlyMap<string, Person>

/** In the order in which `Avatar` uses them. */
export const COLOURS: readonly Color[] = ["clay", "honey", "moss", "pine", "sea", "iris", "plum", "rose"]

/** A person of whom only the name is known. */
export function unknownPerson(user_id: string, username: string): Person {
  return { user_id, username, display_name: null, color: null, picture: null }
}

/** Returns a person's display name. Data stored by an older version has only one name. */
export function shownName(person: Pick<Person, "username" | "display_name">): string {
  return person.display_name ?? person.username
}

export function withPeople(people: People, persons: readonly Person[]): People {
  return new Map([...people, ...persons.map((person) => [person.user_id, person] as const)])
}

/** Updates people to their current state. Those who share no family or conversation with the user lose their name. */
export function currentPeople(
  people: People,
  persons: readonly Person[],
  conversations: readonly ConversationSummary[],
): People {
  const present = new Set(conversations.flatMap((each) => each.members.map((member) => member.user_id)))
  return withPeople(new Map([...people].filter(([id]) => present.has(id))), persons)
}

/** The first visible letter, in any script. */
export function initial(name: string): string {
  return (graphemes(name.trim())[0] ?? "?").toLocaleUpperCase()
}

/** One of a few colours, the same on every device. */
export function colour(name: string): number {
  let hash = 0
  for (const letter of name) hash = (Math.imul(hash, 131) + (letter.codePointAt(0) ?? 0)) >>> 0
  // The high bits of a multiplication by the golden ratio map similar hashes to different colours.
  return Math.floor(((Math.imul(hash, 2_654_435_761) >>> 0) / 2 ** 32) * COLOURS.length)
}

/** The chosen colour, or one derived from the username, which does not depend on the display name. */
export function colourOf(person: Person): number {
  const chosen = person.color ? COLOURS.indexOf(person.color) : -1
  return chosen < 0 ? colour(person.username) : chosen
}

/** Whether the other member of a direct conversation has deleted their account. */
export function isPartnerGone(conversation: Pick<ConversationSummary, "type" | "members">, me: string): boolean {
  return conversation.type === "direct" && others(conversation, me).length === 0
}

export function others(conversation: Pick<ConversationSummary, "members">, me: string): readonly string[] {
  return conversation.members.map((member) => member.user_id).filter((id) => id !== me)
}
