"""Confirming an e-mail address, and resetting a forgotten password by e-mail."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.accounts.sign_in.token import Identity
from famichat.actions.rate_limit import LIMITS, Address, RateLimits, SharedLimitName
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp, running_app
from tests.support.mail_server import MailServer, mail_server

NEW = "correct horse battery"


@dataclass(frozen=True)
class Post:
    """A server that sends e-mail, and what arrives."""

    app: RunningApp
    mail: MailServer

    async def link(self, path: str) -> str:
        """The token of the link in the next e-mail."""
        text = (await self.mail.next()).get_content()
        found = re.search(rf"^http://localhost:\d+/{path}#(\S+)", text, re.MULTILINE)
        assert found is not None, text
        return found[1]

    async def forgot(self, name: str, **more: str) -> httpx.Response:
        async with self.app.http() as http:
            return await http.post("/password-reset", json={"name": name, **more})

    async def confirm(self, person: Person) -> None:
        async with self.app.http(person) as http:
            await http.post("/me/email/confirmation", json={})
            await http.put("/email-confirmation", json={"token": await self.link("confirm-email")})


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    async with mail_server() as mail:
        settings: dict[str, Any] = {"smtp_url": f"smtp://127.0.0.1:{mail.port}", "rate_limits": "on"}
        async with running_app(database_url, tmp_path, **settings) as app:
            yield Post(app, mail)


async def test_a_user_confirms_the_address_and_resets_the_password_by_email(post: Post) -> None:
    maja = post.app.home.maja
    async with post.app.http(maja) as http:
        sent = await http.post("/me/email/confirmation", json={"language": "ja"})
        token = await post.link("confirm-email")
        confirmed = [(await http.put("/email-confirmation", json={"token": token})).status_code for _ in range(2)]
        confirmed_at = (await http.get("/me")).json()["confirmed_at"]
    asked = await post.forgot("maja@example.org")
    token = await post.link("reset")
    async with post.app.http() as http:
        offered = (await http.get("/setup")).json()["email"]
        used = [await http.put("/password-reset", json={"token": token, "new_password": NEW}) for _ in range(2)]
        signed_in = [
            (await http.post("/sessions", json={"username": "maja", "password": each})).status_code
            for each in (PASSWORD, NEW)
        ]

    assert (sent.status_code, confirmed, confirmed_at is not None) == (204, [204, 404], True)
    assert (asked.status_code, asked.content) == (204, b"")
    assert [each.status_code for each in used] == [200, 404]
    assert (signed_in, offered) == ([401, 201], True)


async def test_the_response_does_not_tell_whether_an_account_exists(post: Post) -> None:
    await post.confirm(post.app.home.emil)
    names = ("absent", "absent@example.org", "maja", "not a name @", "emil")  # only Emil's address is confirmed
    answers = [await post.forgot(name) for name in names]
    message = await post.mail.next()

    def shown(answer: httpx.Response) -> tuple[int, bytes, set[str]]:
        return answer.status_code, answer.content, set(answer.headers)

    assert [shown(each) for each in answers] == [shown(answers[0])] * len(names)
    assert message["To"] == "emil@example.org"
    assert post.mail.received.empty()


@pytest.mark.parametrize("meanwhile", ["address", "link"])
async def test_what_changes_while_an_email_is_written_counts(
    post: Post, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    home, done, check = post.app.home, asyncio.Event(), RateLimits.check_shared
    await post.confirm(home.emil)

    async def change_first(limits: RateLimits, name: SharedLimitName, who: Identity | Address) -> None:
        await check(limits, name, who)
        if name == "email":
            async with post.app.http(home.emil if meanwhile == "address" else home.maja) as http:
                if meanwhile == "address":
                    change = {"email": "typed-wrongly@example.org", "current_password": PASSWORD}
                    answer = await http.put("/me/email", json=change)
                else:
                    answer = await http.put(f"/families/{home.family_id}/members/{home.emil.user_id}/reset-link")
            answer.raise_for_status()
            done.set()

    monkeypatch.setattr(RateLimits, "check_shared", change_first)
    await post.forgot("emil")
    async with asyncio.timeout(10):
        await done.wait()
    monkeypatch.undo()
    await post.confirm(home.maja)  # e-mail is sent one after the other, so an earlier one would have arrived

    assert post.mail.received.empty()


async def test_one_user_receives_few_emails_and_further_requests_get_the_same_answer(post: Post) -> None:
    await post.confirm(post.app.home.emil)
    left = int(LIMITS["email"].burst) - 1
    answers = {(await post.forgot("emil")).status_code for _ in range(left + 2)}
    for _ in range(left):
        await post.link("reset")
    async with post.app.http(post.app.home.emil) as http:
        refused = await http.post("/me/email/confirmation", json={})

    assert answers == {204}
    assert post.mail.received.empty()
    assert refused.json()["code"] == "rate_limited"


async def test_without_an_smtp_server_no_email_can_be_asked_for(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        answers = [
            await http.post("/password-reset", json={"name": "maja"}),
            await http.post("/me/email/confirmation", json={}),
        ]

    assert [each.json()["code"] for each in answers] == ["email_unavailable"] * 2


async def test_a_changed_address_must_be_confirmed_and_makes_earlier_emails_invalid(post: Post) -> None:
    emil = post.app.home.emil
    await post.confirm(emil)
    await post.forgot("emil")
    old = await post.link("reset")
    change = {"email": "New@example.org", "current_password": PASSWORD}
    async with post.app.http(emil) as http, post.app.http() as anonymous:
        changed = await http.put("/me/email", json=change)
        me = (await http.get("/me")).json()
        used = await anonymous.put("/password-reset", json={"token": old, "new_password": NEW})
        by_address = [
            (await anonymous.post("/sessions", json={"email": each, "password": PASSWORD})).status_code
            for each in ("emil@example.org", "new@example.org")
        ]
        await post.forgot("emil")
        await http.post("/me/email/confirmation", json={})
        message = await post.mail.next()

    assert (changed.status_code, me["email"], me["confirmed_at"]) == (204, "New@example.org", None)
    assert (used.status_code, by_address) == (404, [401, 201])
    assert (message["To"], "confirm-email#" in message.get_content()) == ("New@example.org", True)


@pytest.mark.parametrize(
    ("email", "password", "code"),
    [
        ("new@example.org", "not the password", "invalid_credentials"),
        ("not an address", PASSWORD, "invalid_email"),
        ("EMIL@example.org", PASSWORD, "email_taken"),
    ],
)
async def test_a_refused_change_keeps_the_address(app: RunningApp, email: str, password: str, code: str) -> None:
    async with app.http(app.home.maja) as http:
        refused = await http.put("/me/email", json={"email": email, "current_password": password})
        kept = (await http.get("/me")).json()["email"]

    assert (refused.json()["code"], kept) == (code, "maja@example.org")


async def test_an_address_can_be_removed(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        removed = await http.put("/me/email", json={"email": None, "current_password": PASSWORD})
        left = (await http.get("/me")).json()["email"]

    assert (removed.status_code, left) == (204, None)
