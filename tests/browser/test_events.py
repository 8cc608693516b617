"""The live event viewer at /events (story 7.4.1)."""

from typing import Any

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server

pytestmark = pytest.mark.timeout(180)
CIPHERTEXT = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k"


async def _token(demo: Server, http: httpx.AsyncClient) -> str:
    maja = demo.user("maja")
    answer = await http.post("/sessions", json={"username": "maja", "password": maja["password"]})
    token: str = answer.raise_for_status().json()["access_token"]
    return token


def _broadcast(demo: Server, **message: Any) -> dict[str, Any]:
    return {"conversation_type": "family", "conversation_id": demo.reported["conversations"]["family"], **message}


async def test_it_shows_every_event_live_and_its_link_gives_nothing_away(demo: Server, person: SignedIn) -> None:
    watcher = await person(demo.url)
    page = watcher.page
    topic = f"message:family:{demo.reported['conversations']['family']}"
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", trust_env=False, timeout=30) as http:
        token = await _token(demo, http)
        http.headers["authorization"] = f"Bearer {token}"
        await page.goto(f"{demo.url}/events#token={token}&topic={topic}")
        await expect(page.get_by_role("status")).to_have_text(f"Connected · {topic}")

        (await http.post("/test/broadcast", json=_broadcast(demo, body="Hello from curl"))).raise_for_status()
        row = page.get_by_role("row").filter(has_text="Hello from curl")
        await expect(row).to_be_visible()
        await expect(row).to_contain_text("new_msg")

        sealed = {"encryption_flag": True, "encryption_version": "v1.0.0", "key_id": "KEY_FAMILY_v1"}
        (await http.post("/test/broadcast", json=_broadcast(demo, body=CIPHERTEXT, **sealed))).raise_for_status()
        await expect(page.get_by_role("row").filter(has_text="KEY_FAMILY_v1")).to_contain_text("opaque, 43 characters")
        await expect(page.locator("body")).not_to_contain_text(CIPHERTEXT)

    await page.get_by_label("Payload").fill('{"body": "from the page"}')
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("row").filter(has_text="from the page").filter(has_text="received")).to_be_visible()

    assert token not in page.url
    assert not any(token in url for url in watcher.requests)
    assert token not in demo.logged()


async def test_it_pauses_filters_and_clears(demo: Server, person: SignedIn) -> None:
    watcher = await person(demo.url)
    page = watcher.page
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", trust_env=False, timeout=30) as http:
        token = await _token(demo, http)
        http.headers["authorization"] = f"Bearer {token}"
        await page.goto(f"{demo.url}/events")
        await page.get_by_label("Access token").fill(token)
        await page.get_by_label("Access token").press("Tab")
        await page.get_by_label("Conversation").select_option(label="family")
        await page.get_by_role("button", name="Join").click()
        await expect(page.get_by_role("row").filter(has_text="presence_state")).to_be_visible()

        await page.get_by_role("button", name="Pause").click()
        (await http.post("/test/broadcast", json=_broadcast(demo, body="unseen yet"))).raise_for_status()
        await expect(page.get_by_role("button", name="Resume (1 new)")).to_be_visible()
        await expect(page.get_by_role("row").filter(has_text="unseen yet")).to_have_count(0)
        await page.get_by_role("button", name="Resume").click()
        await expect(page.get_by_role("row").filter(has_text="unseen yet")).to_be_visible()

    await page.get_by_label("Filter").fill("presence")
    await expect(page.get_by_role("row").filter(has_text="unseen yet")).to_have_count(0)
    await page.get_by_role("button", name="Clear").click()
    await expect(page.get_by_text("No events yet.")).to_be_visible()


async def test_the_user_topic_of_another_user_is_refused_with_a_message(demo: Server, person: SignedIn) -> None:
    watcher = await person(demo.url)
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", trust_env=False, timeout=30) as http:
        token = await _token(demo, http)
    await watcher.page.goto(f"{demo.url}/events#token={token}&topic=message:direct:nobody")
    await expect(watcher.page.get_by_role("alert")).to_have_text("Could not join: not_found")
