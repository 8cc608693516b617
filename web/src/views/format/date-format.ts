/** Localised dates and times. */
import { dateOf } from "../../models/messages/grouping"
import { once } from "../../i18n/once"

const timeFormat = once((language: string) => new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" }))

export function formatTime(language: string, moment: string): string {
  return timeFormat(language).format(new Date(moment))
}

/** `Today`, `Yesterday`, `Monday`, or the date. */
export function formatDay(language: string, date: string, now: Date): string {
  const noon = new Date(`${date}T12:00:00`)
  const ago = Math.round((new Date(`${dateOf(now.toISOString())}T12:00:00`).getTime() - noon.getTime()) / 86_400_000)
  if (ago === 0 || ago === 1)
    return capitalize(new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day"))
  if (ago > 1 && ago < 7) return capitalize(new Intl.DateTimeFormat(language, { weekday: "long" }).format(noon))
  const year = noon.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const)
  return new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long", ...year }).format(noon)
}

/** For the list: the time if today, else a short date. */
export function formatShort(language: string, moment: string, now: Date): string {
  const date = new Date(moment)
  if (dateOf(moment) === dateOf(now.toISOString())) return formatTime(language, moment)
  const week = now.getTime() - date.getTime() < 6 * 86_400_000
  return new Intl.DateTimeFormat(language, week ? { weekday: "short" } : { day: "numeric", month: "short" }).format(
    date,
  )
}

/** When something ends: the time, with the day unless it is today, and with the date if it is not within a week. */
export function formatUntil(language: string, moment: string, now: Date): string {
  const date = new Date(moment)
  if (dateOf(moment) === dateOf(now.toISOString())) return formatTime(language, moment)
  const isSoon = date.getTime() - now.getTime() < 6 * 86_400_000
  const day = isSoon ? ({ weekday: "short" } as const) : ({ day: "numeric", month: "short" } as const)
  return new Intl.DateTimeFormat(language, { ...day, hour: "numeric", minute: "2-digit" }).format(date)
}

/** `3 March`, with the year unless it is the current one. */
export function formatDate(language: string, moment: string, now: Date): string {
  const date = new Date(moment)
  const year = date.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const)
  return new Intl.DateTimeFormat(language, { day: "numeric", month: "long", ...year }).format(date)
}

/** Date and time with the year. */
export function formatDateTime(language: string, moment: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment))
}

function capitalize(word: string): string {
  return word.charAt(0).toLocaleUpperCase() + word.slice(1)
}
