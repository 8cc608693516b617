/** The text for an error. */
import { refusalKey, type Translate } from "../../i18n/translate"
import { ApiError, Unreachable } from "../../api/http"
import { NotificationsUnavailable } from "../../session/push-subscription"
import { PasskeyFailed } from "../../session/passkeys"

/** Rethrows anything other than ApiError and Unreachable, because it is a bug. */
export function errorText(t: Translate, error: unknown): string {
  if (error instanceof ApiError) return t(refusalKey(error.code))
  if (error instanceof Unreachable) return t("error.unreachable")
  if (error instanceof PasskeyFailed) return t(`passkey.${error.why}`)
  if (error instanceof NotificationsUnavailable) return t(`bell.${error.why}`)
  throw error
}
