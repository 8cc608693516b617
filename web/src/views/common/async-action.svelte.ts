/** Something that the server may refuse: whether it is going on, and what went wrong, in words. */
import { get } from "svelte/store"

import { t } from "../../i18n/language"
import { errorText } from "./error-text"

export class AsyncAction {
  busy = $state(false)
  fault = $state("")

  /** Wait for it; then go on with its result, or say why there is none. */
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
