import "@fontsource-variable/atkinson-hyperlegible-next/wght.css"
import "../views/theme.css"
import "../views/common/appearance"

import { mount } from "svelte"

import { app, speakOwnLanguage, t } from "../i18n/language"
import { registerServiceWorker, saveNotificationTexts } from "../session/service-worker"
import Famichat from "../views/Famichat.svelte"

void start()
registerServiceWorker().catch(goOnWithout)

async function start(): Promise<void> {
  const target = document.getElementById("page")
  if (!target) throw new Error("the page has no place for Famichat")
  await speakOwnLanguage()
  mount(Famichat, { target })
  t.subscribe((say) => {
    const [news, test] = [say("worker.news"), say("worker.test")]
    const [reset, renew] = [say("worker.reset"), say("worker.renew")]
    saveNotificationTexts({ app, news, test, reset, renew }).catch(goOnWithout)
  })
}

/** Without a service worker, as in private windows, everything works except notifications and opening the app offline. */
function goOnWithout(error: unknown): void {
  console.warn("no service worker", error)
}
