/** Texts of the emoji picker. They are loaded with it. */
export const emojiEn = {
  "emoji.title": "Emoji",
  "emoji.search": "Search emoji",
  "emoji.found": "{n} emoji found",
  "emoji.none": "Nothing found. Try fewer letters or another word.",
  "emoji.tone": "Skin tone",
  "emoji.tone0": "No skin tone",
  "emoji.tone1": "Light skin tone",
  "emoji.tone2": "Medium-light skin tone",
  "emoji.tone3": "Medium skin tone",
  "emoji.tone4": "Medium-dark skin tone",
  "emoji.tone5": "Dark skin tone",
  "emoji.recent": "Recent",
  "emoji.smileys": "Smileys and feelings",
  "emoji.people": "People and body",
  "emoji.nature": "Animals and nature",
  "emoji.food": "Food and drink",
  "emoji.travel": "Travel and places",
  "emoji.activities": "Activities",
  "emoji.objects": "Objects",
  "emoji.symbols": "Symbols",
  "emoji.flags": "Flags",
} as const

export type EmojiKey = keyof typeof emojiEn
