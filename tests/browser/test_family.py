"""Family administration: roles, invitations, devices, account history and disk usage, but no messages."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from famichat.storage.base import now
from famichat.storage.data_dir import DataDir
from tests.browser.conftest import SignedIn
from tests.browser.household import Person, Server

pytestmark = pytest.mark.timeout(180)


async def test_an_admin_manages_the_family_and_sees_no_messages(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    page = await _care(maja)
    people, deeds = _section(page, "Members"), _section(page, "Admin activity")
    await people.get_by_role("button", name="Make admin nils").click()
    await expect(_row(people, "nils")).to_contain_text("Admin")
    await expect(deeds).to_contain_text("maja made nils an admin.")

    await _row(people, "emil").get_by_text("emil's devices").click()
    devices = _row(people, "emil").locator("details").get_by_role("listitem")
    await expect(devices).to_have_count(2)
    await devices.filter(has_text="Chrome").get_by_role("button", name="Sign out").click()
    await expect(devices).to_have_count(1)
    await expect(emil.page.get_by_role("button", name="Sign in")).to_be_visible()
    await expect(deeds).to_contain_text(re.compile(r"maja signed emil out on Chrome, \w+\."))
    emil.faults.clear()  # browsers log a 401 as an error

    await people.get_by_role("button", name="Remove inga").click()
    await expect(people.get_by_text("inga will lose access to Sundqvist's chat")).to_be_visible()
    await people.get_by_role("group").get_by_role("button", name="Remove inga").click()
    await expect(people.get_by_text("inga")).to_have_count(0)

    invitations = _section(page, "Open invitations")
    await invitations.get_by_role("button", name="Invite someone to Sundqvist").click()
    await maja.page.get_by_role("button", name="For a child").click()
    await maja.page.get_by_role("dialog").locator("output").wait_for()
    await maja.page.get_by_role("dialog").get_by_role("button", name="Close").click()
    await expect(invitations.get_by_text("Joins as a child")).to_be_visible()
    await invitations.get_by_role("button", name="Cancel invitation").click()
    await expect(invitations.get_by_text("No open invitations.")).to_be_visible()

    room = _section(page, "Storage")
    await expect(_section(page, "Backups").get_by_text("No backup yet.")).to_be_visible()
    await expect(room.get_by_text(re.compile(r"[\d.,]+ [kM]B"))).to_be_visible()
    assert not re.search("green|fetch Nils|oven|ferry", await page.inner_text())


async def test_a_member_who_forgot_the_password_sets_a_new_one_with_a_link_of_an_admin(
    demo: Server, of_the_family: SignedIn, person: SignedIn
) -> None:
    maja, emil, phone = await of_the_family("maja"), await of_the_family("emil"), await person(demo.url)
    page = await _care(maja)
    await page.get_by_role("button", name="Forgot password emil").click()
    sheet = maja.page.get_by_role("dialog")
    await expect(sheet.get_by_role("img")).to_be_visible()
    link = await sheet.locator("output").inner_text()
    await expect(emil.page.get_by_text("maja created a link to reset your password.")).to_be_visible()

    await phone.page.goto(f"{demo.url}/reset#{link.partition('#')[2]}")
    await phone.page.get_by_label("New password", exact=True).fill("correct horse battery")
    await phone.page.get_by_role("button", name="Save and sign in").click()
    await expect(phone.page.get_by_role("link", name="Settings")).to_be_visible()
    await expect(emil.page.get_by_role("button", name="Sign in")).to_be_visible()
    emil.faults.clear()  # browsers log a 401 as an error


async def test_admins_are_told_when_the_server_has_not_been_backed_up_for_three_days(
    demo_dir: Path, of_the_family: SignedIn
) -> None:
    DataDir(demo_dir).note_backup(now() - timedelta(days=4))
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.page.get_by_text("Your server hasn't been backed up for 3 days.").wait_for()
    await maja.page.get_by_role("button", name="Show").click()

    backups = _section(maja.page.get_by_role("main"), "Backups")
    await expect(backups.get_by_text("There has been no backup for 3 days.")).to_be_visible()
    await expect(backups.get_by_text("Not yet")).to_be_visible()
    await expect(maja.page.get_by_text("Your server hasn't been backed up")).to_have_count(0)
    await expect(emil.page.get_by_text("Your server hasn't been backed up")).to_have_count(0)


async def test_a_member_without_the_admin_role_has_no_family_page(of_the_family: SignedIn) -> None:
    emil = await of_the_family("emil")
    await emil.page.goto(f"{emil.url}/#/you")
    await expect(emil.page.get_by_role("heading", name="emil")).to_be_visible()
    await expect(emil.page.get_by_role("link", name="Manage Sundqvist")).to_have_count(0)


async def _care(person: Person) -> Locator:
    await person.page.goto(f"{person.url}/#/you")
    await person.page.get_by_role("link", name="Manage Sundqvist").click()
    await expect(person.page.get_by_role("heading", name="Sundqvist", exact=True)).to_be_visible()
    return person.page.get_by_role("main")


def _section(page: Locator, title: str) -> Locator:
    return page.get_by_role("region", name=title)


def _row(people: Locator, name: str) -> Locator:
    return people.locator(":scope > ul > li").filter(has_text=name)
