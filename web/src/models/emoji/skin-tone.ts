/** Skin tones of emoji (UTS #51, 2.4): 0 is none, and 1 to 5 are the Fitzpatrick modifiers. */

export type SkinTone = 0 | 1 | 2 | 3 | 4 | 5

export const SKIN_TONES: readonly SkinTone[] = [0, 1, 2, 3, 4, 5]

const FIRST_MODIFIER = 0x1f3fa
const WITH_MODIFIER = /(\p{Emoji_Modifier_Base})\uFE0F?/gu
const MODIFIERS = /\p{Emoji_Modifier}/gu

/** Gives an emoji without a skin tone, which must be one that has them, a skin tone. */
export function withSkinTone(emoji: string, tone: SkinTone): string {
  return tone === 0 ? emoji : emoji.replace(WITH_MODIFIER, `$1${String.fromCodePoint(FIRST_MODIFIER + tone)}`)
}

export function withoutSkinTone(emoji: string): string {
  return emoji.replace(MODIFIERS, "")
}
