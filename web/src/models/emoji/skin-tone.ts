/** Skin tones of emoji (UTS #51, 2.4): 0 is none, and 1 to 5 are the Fitzpatrick modifiers. */

export type SkinTone = 0 | 1 | 2 | 3 | 4 | 5

export const SKIN_TONES: readonly SkinTone[] = [0, 1, 2, 3, 4, 5]

const FIRST_MODIFIER = 0x1f3fa
/** Hands that two people hold have no skin tone of their own. */
const WITH_MODIFIER = /(\u200D🤝\u200D)|(\p{Emoji_Modifier_Base})\uFE0F?/gu
const MODIFIERS = /\p{Emoji_Modifier}/gu

/** Gives an emoji without a skin tone, which must be one that has them, a skin tone. */
export function withSkinTone(emoji: string, tone: SkinTone): string {
  if (tone === 0) return emoji
  const modifier = String.fromCodePoint(FIRST_MODIFIER + tone)
  return emoji.replace(WITH_MODIFIER, (_, joint?: string, base = "") => joint ?? `${base}${modifier}`)
}

export function withoutSkinTone(emoji: string): string {
  return emoji.replace(MODIFIERS, "")
}
