"""Account deletion as other users see it: the name disappears and the messages stay."""

import re

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server

pytestmark = pytest.mark.timeout(180)


def delete_account(demo: Server, username: str) -> None:
    user = demo.user(username)
    with httpx.Client(base_url=f"{demo.url}/api/v1") as http:
        signed_in = http.post("/sessions", json={"username": username, "password": user["password"]}).json()
        bearer = {"authorization": f"Bearer {signed_in['access_token']}"}
        removed = http.request("DELETE", "/me", json={"password": user["password"]}, headers=bearer)
    assert removed.status_code == 204, removed.text


async def test_a_deleted_user_becomes_a_former_member_at_once_and_after_a_reload(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await emil.say("So long")
    await maja.open("emil")
    await expect(maja.messages().get_by_text("So long")).to_be_visible()

    delete_account(demo, "emil")

    await expect(maja.page.get_by_role("heading", name="Former member")).to_be_visible()
    for _ in range(2):
        await expect(maja.messages().get_by_text("So long")).to_be_visible()
        await expect(maja.page.get_by_text("this person left the chat or deleted their account")).to_be_visible()
        await expect(maja.page.get_by_label("Message to")).to_have_count(0)
        await expect(maja.listed("emil")).to_have_count(0)
        await maja.page.reload()
    await expect(emil.page.get_by_role("button", name="Sign in")).to_be_visible()
    emil.faults.clear()  # browsers log a 401 as an error
    await maja.page.get_by_role("navigation").get_by_role("link", name=re.compile("^Summer house ")).click()
    await expect(maja.page.get_by_role("heading", name="Summer house")).to_be_visible()
    await expect(maja.messages().get_by_text("Former member").first).to_be_visible()
