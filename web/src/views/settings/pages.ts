/** The pages of the settings, at `#/settings/<name>`, in their order. */
import type { IconName } from "../common/Icon.svelte"

export const PAGES = [
  "account",
  "notifications",
  "privacy",
  "appearance",
  "devices",
  "storage",
  "help",
  "about",
] as const
export type SettingsPage = (typeof PAGES)[number]

export const ICONS: Readonly<Record<SettingsPage, IconName>> = {
  account: "key",
  notifications: "bell",
  privacy: "lock",
  appearance: "text",
  devices: "device",
  storage: "save",
  help: "direct",
  about: "info",
}

/** The page of this name; undefined if there is none, and the list of pages is shown. */
export function pageNamed(name: string | undefined): SettingsPage | undefined {
  return PAGES.find((each) => each === name)
}
