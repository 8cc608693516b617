"""Forgotten passwords: two admins agree to reset that of a third, and users reset their own by e-mail."""

import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person, Server
from tests.support.mail_server import MailServer, mail_server

pytestmark = pytest.mark.timeout(180)
NEW = "correct horse battery"


@pytest.fixture
def _admins_for_a_week(demo_dir: Path) -> None:
    """Before the server starts, make all adults of the family admins of long standing."""
    connection = sqlite3.connect(demo_dir / "famichat.db")
    with connection:
        connection.execute(
            "UPDATE family_memberships SET role = 'admin', joined_at = '2026-01-01 00:00:00.000000', checksum = NULL"
            " WHERE role != 'child'"
        )
    connection.close()


@pytest.mark.usefixtures("_admins_for_a_week")
async def test_two_admins_agree_to_reset_the_password_of_a_third_who_cancels_it(of_the_family: SignedIn) -> None:
    maja, emil, inga = [await of_the_family(name) for name in ("maja", "emil", "inga")]
    notice = inga.page.get_by_role("alert")
    own = await _member(maja, "inga")
    await own.get_by_role("button", name="Forgot password inga").click()
    await own.get_by_role("button", name="Ask the other admins").click()
    await expect(own).to_contain_text("Another admin has to agree before")
    await expect(notice).to_contain_text("maja wants to reset your password, and needs another admin to agree.")

    asked = emil.page.get_by_role("status").filter(has_text="maja asks you to agree to a new password for inga.")
    await asked.get_by_role("button", name="Manage family").click()
    await _row(emil, "inga").get_by_role("button", name="Agree").click()
    await expect(notice).to_contain_text("maja and emil agreed to reset your password.")

    await own.get_by_role("button", name="Create link").click()
    await expect(maja.page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    link = await maja.page.get_by_role("dialog").locator("output").inner_text()
    await expect(notice).to_contain_text("maja created a link to reset your password.")

    await inga.page.get_by_role("button", name="I didn't ask for this: cancel").click()
    await expect(notice).to_have_count(0)
    await maja.page.goto(link)
    await maja.page.get_by_label("New password", exact=True).fill(NEW)
    await maja.page.get_by_role("button", name="Save and sign in").click()
    await expect(maja.page.get_by_text("This link no longer works. Ask for a new one.")).to_be_visible()
    maja.faults.clear()  # browsers log a 404 as an error


@dataclass(frozen=True)
class Post:
    """A demo server that sends e-mail, and what arrives."""

    server: Server
    mail: MailServer

    async def link(self) -> str:
        """Return the link in the next e-mail."""
        found = re.search(r"^http://\S+", (await self.mail.next()).get_content(), re.MULTILINE)
        assert found is not None
        return found[0]


@pytest_asyncio.fixture(loop_scope="session")
async def post(demo_dir: Path) -> AsyncIterator[Post]:
    async with mail_server() as mail:
        server = Server(demo_dir, settings={"SMTP_URL": f"smtp://127.0.0.1:{mail.port}"}).start()
        yield Post(server, mail)
        server.stop()


async def test_a_user_adds_an_address_resets_the_password_by_email_and_removes_the_address(
    post: Post, person: SignedIn
) -> None:
    emil = await person(post.server.url)
    await emil.sign_in("emil", post.server.user("emil")["password"])
    page = emil.page
    await page.goto(f"{emil.url}/#/settings/account")
    own = page.get_by_role("region", name="Email address")
    await own.get_by_role("button", name="Change email address").click()
    await own.get_by_label("New email address").fill("emil@example.org")
    await own.get_by_label("Current password", exact=True).fill(post.server.user("emil")["password"])
    await own.get_by_role("button", name="Save email address").click()
    await expect(own).to_contain_text("emil@example.org is not confirmed yet.")
    await page.goto(await post.link())
    await page.get_by_role("button", name="Confirm").click()
    await page.get_by_role("heading", name="Chats").wait_for()
    await page.goto(f"{emil.url}/#/settings/account")
    await expect(own).to_contain_text("emil@example.org is confirmed.")

    phone = await person(post.server.url)
    await phone.page.goto(phone.url)
    await phone.page.get_by_role("button", name="Forgot password").click()
    await phone.page.get_by_label("Name or email").fill("emil")
    await phone.page.get_by_role("button", name="Send link").click()
    await expect(phone.page.get_by_role("status")).to_contain_text("the link is on its way")
    await phone.page.goto(await post.link())
    await phone.page.get_by_label("New password", exact=True).fill(NEW)
    await phone.page.get_by_role("button", name="Save and sign in").click()
    await expect(phone.page.get_by_role("link", name="Settings")).to_be_visible()
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    emil.faults.clear()  # browsers log a 401 as an error

    await phone.page.goto(f"{emil.url}/#/settings/account")
    own = phone.page.get_by_role("region", name="Email address")
    await own.get_by_role("button", name="Remove email address").click()
    await own.get_by_label("Current password", exact=True).fill(NEW)
    await own.get_by_role("button", name="Remove email address").click()
    await expect(own).to_contain_text("No email address yet.")
    await expect(own.get_by_role("status")).to_have_text("Removed.")


async def test_the_only_admin_is_asked_once_to_make_another_adult_an_admin(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    notice = maja.page.get_by_role("status").filter(has_text="Only you can help Sundqvist with a forgotten password")
    await notice.get_by_role("button", name="Not now").click()
    await expect(notice).to_have_count(0)
    async with maja.page.expect_response("**/backups"):  # the other notice of admins
        await maja.page.reload()
    await maja.page.get_by_role("heading", name="Chats").wait_for()
    await expect(notice).to_have_count(0)
    await expect(emil.page.get_by_role("status").filter(has_text="Only you")).to_have_count(0)


async def _member(person: Person, name: str) -> Locator:
    """Open the family page, and return the row of a member."""
    await person.page.goto(f"{person.url}/#/you")
    await person.page.get_by_role("link", name="Manage Sundqvist").click()
    return _row(person, name)


def _row(person: Person, name: str) -> Locator:
    members = person.page.get_by_role("region", name="Members")
    return members.locator(":scope > ul > li").filter(has=person.page.get_by_text(name, exact=True).first)
