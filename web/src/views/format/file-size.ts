/** Localised file sizes. */

const STEP = 1_000
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const

export function formatBytes(language: string, bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1)
  const amount = bytes / STEP ** step
  const unit = UNITS[step] ?? "byte"
  const digits = amount < 10 && step > 0 ? 1 : 0
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: digits }).format(amount)
}
