/** State of an asynchronous action: pending, and its error text. */
import { get } from "svelte/store"

import { t } from "../../i18n/language"
import { errorText } from "../format/error-text"

export class AsyncAction {
  busy = $state(false)
  fault = $state("")

  /** Awaits the action; then calls `then` with its result, or sets the error text. */
  async run<Result>(work: Promise<Result>, then: (result: Result) => void = () => undefined): Promise<void> {
    this.fault = ""
    this.busy = true
    try {
      then(await work)
    } catch (error) {
      this.fault = errorText(get(t), error)
    } finally {
      this.busy = false
    }
  }
}
