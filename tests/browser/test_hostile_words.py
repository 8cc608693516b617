"""User content is displayed as text only (S23, S24), and signing out removes it from the device (S41)."""

import json
from itertools import product
from typing import Any

import httpx
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server

CANARY = "canary-words-of-maja"
PWNED = "console.error('pwned')"
TAGS = (
    f"<script>{PWNED}</script>", f"<img src=x onerror={PWNED}>", f"<svg onload={PWNED}>", f"<body onload={PWNED}>",
    f"<iframe srcdoc='<script>{PWNED}</script>'>", f"<a href=javascript:{PWNED}>x</a>",
    f"<math><mi//xlink:href=1>{PWNED}", f"<details open ontoggle={PWNED}>", f"<video><source onerror={PWNED}>",
    f"<input autofocus onfocus={PWNED}>", f"<style>@import'javascript:{PWNED}'</style>",
    f"<object data=javascript:{PWNED}>", f"<form action=javascript:{PWNED}>", f"<marquee onstart={PWNED}>",
    f"<template><script>{PWNED}</script></template>", f"<noscript><p title='</noscript><img src=x onerror={PWNED}>'>",
    f"<meta http-equiv=refresh content=0;url=javascript:{PWNED}>", f"<base href=javascript:{PWNED}//>",
    "{{constructor.constructor('" + PWNED + "')()}}", "{@html '<img src=x onerror=1>'}", f"javascript:{PWNED}",
    f"https://x.example/'onmouseover='{PWNED}", f"data:text/html,<script>{PWNED}</script>", f"[x](javascript:{PWNED})",
    f"![x](x'onerror='{PWNED})", "\u202ehttps://elpmaxe.live\u202c", f"<x onclick={PWNED}>x</x>",
)  # fmt: skip
AROUND = ("{}", '">{}', "'>{}", "</textarea>{}", "--><!--{}", "]]>{}", "<b>{}</b>", "%3C{}", "&lt;{}", "`{}`", "\\{}")
WATCH = "addEventListener('securitypolicyviolation', seen => console.error('refused ' + seen.violatedDirective))"
# Everything that a page can store, as one text.
KEPT = """async () => {
    const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie]
    for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((done, fail) => {
            const opening = indexedDB.open(name)
            opening.onsuccess = () => done(opening.result)
            opening.onerror = () => fail(opening.error)
        })
        for (const store of db.objectStoreNames) {
            const all = db.transaction(store).objectStore(store).getAll()
            await new Promise(done => (all.onsuccess = done))
            kept.push(JSON.stringify(all.result))
        }
        db.close()
    }
    for (const name of await caches.keys())
        for (const asked of await (await caches.open(name)).keys()) {
            kept.push(asked.url, await (await (await caches.open(name)).match(asked)).text())
        }
    return kept.join("\\n")
}"""


async def as_emil(demo: Server, requests: list[tuple[str, str, dict[str, Any]]]) -> None:
    emil = demo.user("emil")
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", trust_env=False, timeout=30) as http:
        signed_in = await http.post("/sessions", json={"username": "emil", "password": emil["password"]})
        http.headers["authorization"] = f"Bearer {signed_in.json()['access_token']}"
        for verb, path, body in requests:
            (await http.request(verb, path, json=body)).raise_for_status()


async def test_three_hundred_script_injections_are_displayed_as_text(demo: Server, of_the_family: SignedIn) -> None:
    attacks = [around.format(tag) for around, tag in product(AROUND, TAGS)]
    assert len(attacks) >= 290
    direct = demo.reported["conversations"]["direct"]
    bodies = ["\n".join(attacks[start : start + 50]) for start in range(0, len(attacks), 50)]
    await as_emil(demo, [("POST", f"/conversations/{direct}/messages", {"body": body}) for body in bodies])

    maja = await of_the_family("maja")
    await maja.page.evaluate(WATCH)
    await maja.context.add_init_script(WATCH)
    await maja.open("emil")
    for body in bodies:
        await expect(maja.messages().get_by_text(body.splitlines()[0]).first).to_be_attached()
    tab = await maja.another_tab()
    for path in ("/", "/events"):
        await tab.goto(f"{maja.url}{path}")
        await tab.wait_for_load_state("networkidle")

    links = await maja.messages().locator("a").evaluate_all("all => all.map(a => [a.protocol, a.rel])")
    assert {protocol for protocol, _ in links} <= {"http:", "https:", "mailto:"}
    assert all("noopener" in rel for _, rel in links)
    assert maja.faults == []


async def test_signing_out_removes_all_data_from_the_device(demo: Server, of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("emil")
    await maja.say(CANARY)
    await expect(maja.messages().get_by_text(CANARY)).to_be_visible()
    await expect(maja.page.get_by_text("Sending")).to_have_count(0)
    session = json.loads(await maja.page.evaluate("localStorage.getItem('famichat.session')"))
    secrets = (CANARY, session["access_token"], session["refresh_token"])
    await maja.until(f"({KEPT})().then(kept => kept.includes('{CANARY}'))")

    await maja.page.get_by_role("link", name="Settings").click()
    await maja.page.get_by_role("link", name="Account", exact=True).click()
    await maja.page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(maja.page.get_by_role("button", name="Sign in")).to_be_visible()

    # Requests in flight at that moment are refused, which the browser reports as errors.
    assert all("401" in fault for fault in maja.faults)
    maja.faults.clear()
    kept = await maja.page.evaluate(KEPT)
    assert not [secret for secret in secrets if secret in kept]
