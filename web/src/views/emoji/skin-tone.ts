/** The skin tone of the emoji that the user picks, on this device. */
import { writable } from "svelte/store"

import { SKIN_TONES, type SkinTone } from "../../models/emoji/skin-tone"

const KEY = "famichat.skinTone"

export const skinTone = writable<SkinTone>(SKIN_TONES[Number(localStorage.getItem(KEY))] ?? 0)
skinTone.subscribe((tone) => localStorage.setItem(KEY, String(tone)))
