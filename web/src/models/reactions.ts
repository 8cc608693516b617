/** The reactions to a message: each sign once, with the people who gave it, in the order in which they first came. */

/** What one person reacts with; without a sign, this device cannot read it. */
export interface OpenedReaction {
  readonly user_id: string
  readonly emoji: string | undefined
}

export interface ReactionGroup {
  readonly emoji: string | undefined
  readonly people: readonly string[]
}

/** What is offered at once. */
export const QUICK_REACTIONS = ["❤️", "👍", "😂", "😮", "😢", "🙏"] as const

export function groupReactions(reactions: readonly OpenedReaction[]): readonly ReactionGroup[] {
  const found = new Map<string | undefined, string[]>()
  for (const { emoji, user_id } of reactions) found.set(emoji, [...(found.get(emoji) ?? []), user_id])
  return [...found].map(([emoji, people]) => ({ emoji, people }))
}

/** The sign that somebody reacts with, if any. */
export function emojiOf(reactions: readonly OpenedReaction[], userId: string): string | undefined {
  return reactions.find((each) => each.user_id === userId)?.emoji
}
