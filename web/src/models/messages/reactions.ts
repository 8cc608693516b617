/** Groups reactions by emoji, with their users, in the order of first use. */

import { emojiForm } from "../visible-text"

/** One user's reaction; without an emoji if this device cannot decrypt it. */
export interface OpenedReaction {
  readonly user_id: string
  readonly emoji: string | undefined
}

export interface ReactionGroup {
  readonly emoji: string | undefined
  readonly people: readonly string[]
}

/** The quick reactions. */
export const QUICK_REACTIONS = ["❤️", "👍", "😂", "😮", "😢", "🙏"] as const

export function groupReactions(reactions: readonly OpenedReaction[]): readonly ReactionGroup[] {
  const found = new Map<string | undefined, ReactionGroup>()
  for (const { emoji, user_id } of reactions) {
    const group = found.get(emojiForm(emoji))
    found.set(emojiForm(emoji), { emoji: group?.emoji ?? emoji, people: [...(group?.people ?? []), user_id] })
  }
  return [...found.values()]
}

/** The emoji that a user reacted with, if any. */
export function emojiOf(reactions: readonly OpenedReaction[], userId: string): string | undefined {
  return reactions.find((each) => each.user_id === userId)?.emoji
}
