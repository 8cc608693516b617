/** People as they are shown: by name, by initial and by a colour that stays theirs. */
import type { Conversation, Member } from "../realtime/shapes"

/** Names by user id. */
export type People = ReadonlyMap<string, string>

const COLOURS = 8
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

export function know(people: People, members: readonly Pick<Member, "user_id" | "username">[]): People {
  return new Map([...people, ...members.map((member) => [member.user_id, member.username] as const)])
}

/** The same, with the newest names; who is in no family and no conversation of one's own has none any more. */
export function meet(people: People, members: Parameters<typeof know>[1], shelf: readonly Conversation[]): People {
  const present = new Set(shelf.flatMap((each) => each.members.map((member) => member.user_id)))
  return know(new Map([...people].filter(([id]) => present.has(id))), members)
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
  return Math.floor(((Math.imul(hash, 2_654_435_761) >>> 0) / 2 ** 32) * COLOURS)
}

/** Whether the other one of a conversation of two has deleted the account. */
export function isLeftAlone(conversation: Conversation, me: string): boolean {
  return conversation.type === "direct" && others(conversation, me).length === 0
}

export function others(conversation: Conversation, me: string): readonly string[] {
  return conversation.members.map((member) => member.user_id).filter((id) => id !== me)
}
