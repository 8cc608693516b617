/** People as they are shown: by name, by picture or initial, and by a colour that stays theirs. */
import type { Color, ConversationSummary, Person } from "../api/types"

/** People by their ids. */
export type People = ReadonlyMap<string, Person>

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** In the order in which `Avatar` draws them. */
export const COLOURS: readonly Color[] = ["clay", "honey", "moss", "pine", "sea", "iris", "plum", "rose"]

/** Somebody of whom nothing is known but the name. */
export function unknownPerson(user_id: string, username: string): Person {
  return { user_id, username, display_name: null, color: null, picture: null }
}

/** What somebody is called. What an older version kept of people had one name only. */
export function shownName(person: Pick<Person, "username" | "display_name">): string {
  return person.display_name ?? person.username
}

export function withPeople(people: People, persons: readonly Person[]): People {
  return new Map([...people, ...persons.map((person) => [person.user_id, person] as const)])
}

/** The same, as they are now; who is in no family and no conversation of one's own has no name any more. */
export function currentPeople(
  people: People,
  persons: readonly Person[],
  conversations: readonly ConversationSummary[],
): People {
  const present = new Set(conversations.flatMap((each) => each.members.map((member) => member.user_id)))
  return withPeople(new Map([...people].filter(([id]) => present.has(id))), persons)
}

/** The first letter that a reader would see, whatever the script. */
export function initial(name: string): string {
  const [first] = graphemes.segment(name.trim())
  return (first?.segment ?? "?").toLocaleUpperCase()
}

/** One of a few colours, the same on every device. */
export function colour(name: string): number {
  let hash = 0
  for (const letter of name) hash = (Math.imul(hash, 131) + (letter.codePointAt(0) ?? 0)) >>> 0
  // The high bits of a multiplication by the golden ratio: near hashes get far colours.
  return Math.floor(((Math.imul(hash, 2_654_435_761) >>> 0) / 2 ** 32) * COLOURS.length)
}

/** The colour that somebody chose; else one by the username, which stays whatever that person is called. */
export function colourOf(person: Person): number {
  const chosen = person.color ? COLOURS.indexOf(person.color) : -1
  return chosen < 0 ? colour(person.username) : chosen
}

/** Whether the other one of a conversation of two has deleted the account. */
export function isPartnerGone(conversation: ConversationSummary, me: string): boolean {
  return conversation.type === "direct" && others(conversation, me).length === 0
}

export function others(conversation: Pick<ConversationSummary, "members">, me: string): readonly string[] {
  return conversation.members.map((member) => member.user_id).filter((id) => id !== me)
}
