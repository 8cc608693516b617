"""The reference of the API at /api/docs."""

from playwright.async_api import expect

from famichat.endpoint.http.operation_ids import OPERATION_IDS
from tests.browser.conftest import SignedIn
from tests.browser.household import ASK_AXE, AXE, Server
from tests.browser.screens import PHONE


async def test_it_shows_every_operation_and_its_links_open_what_they_name(new_server: Server, person: SignedIn) -> None:
    reader = await person(new_server.url, **PHONE)
    page = reader.page
    await page.goto(f"{new_server.url}/api/docs#sendMessage")

    operation = page.locator("#sendMessage")
    await expect(operation.get_by_text("curl --request POST")).to_contain_text(new_server.url)
    await expect(operation).to_be_in_viewport()
    shown = await page.locator("details").evaluate_all("all => all.map(({id}) => id)")
    assert {each for each in shown if not each.startswith("schema-")} == set(OPERATION_IDS.values())

    await operation.get_by_role("link", name="MessageRequest").click()
    await expect(page.locator("#schema-MessageRequest").get_by_role("row", name="client_id")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
    await page.evaluate(AXE.read_text())
    assert await page.evaluate(ASK_AXE, {}) == []

    await page.get_by_label("Filter").fill("post setup")
    await expect(page.locator("details:not([id^=schema])")).to_have_count(1)
    await expect(page.locator("#setUpServer")).to_be_visible()
