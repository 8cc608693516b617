/** Groups reactions by emoji, with their users, in the order of first use. */

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
  const found = new Map<string | undefined, string[]>()
  for (const { emoji, user_id } of reactions) found.set(emoji, [...(found.get(emoji) ?? []), user_id])
  return [...found].map(([emoji, people]) => ({ emoji, people }))
}

/** The emoji that a user reacted with, if any. */
export function emojiOf(reactions: readonly OpenedReaction[], userId: string): string | undefined {
  return reactions.find((each) => each.user_id === userId)?.emoji
}
