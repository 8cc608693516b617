"""Fixtures: several users at real browsers, and the real server."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from famichat.chat.records.conversation import Conversation
from famichat.storage.database import Database
from tests.browser.household import CHROMIUM, PATIENCE_MS, ROOT, Person, Server, a_browser, someone

SignedIn = Callable[..., Awaitable[Person]]

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests with a browser run in one event loop, so that they can share one."""
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(autouse=True)
def _what_it_takes() -> None:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium: on Debian, apt-get install chromium")
    if not (ROOT / "src/famichat/static/index.html").exists():
        pytest.skip("needs the built pages: cd web && npm ci && npm run build")


@pytest.fixture(scope="session")
def demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a demo that no one has used, to copy: its database and its family take time to create.

    Without the encrypted group, for which each page of its members would load the encryption.
    """
    path = tmp_path_factory.mktemp("template") / "demo"
    server = Server(path).start()
    server.stop()
    database = Database(f"sqlite:///{path / 'famichat.db'}")
    database.run(lambda session: session.delete(session.get_one(Conversation, server.reported["encrypted_group"])))
    database.close()
    return path


@pytest.fixture
def demo_dir(demo_template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(demo_template, tmp_path / "demo")


@pytest.fixture
def demo(demo_dir: Path) -> Iterator[Server]:
    server = Server(demo_dir).start()
    yield server
    server.stop()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Server]:
    """A server without users."""
    server = Server(tmp_path / "new", "serve", name="localhost").start()
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser per test file, because a browser shared by all files becomes slower over time."""
    async with a_browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def person(browser: Browser) -> AsyncIterator[SignedIn]:
    """Creates users; afterwards, no browser may have recorded an error."""
    people: list[Person] = []

    async def make(url: str, **wishes: Any) -> Person:
        people.append(await someone(browser, url, **wishes))
        return people[-1]

    yield make
    for each in people:
        await each.context.close()
    assert [fault for each in people for fault in each.unexpected_faults()] == []


@pytest.fixture
def of_the_family(demo: Server, person: SignedIn) -> SignedIn:
    """Creates signed-in users of the demo's family."""

    async def make(username: str, **wishes: Any) -> Person:
        somebody = await person(demo.url, **wishes)
        return await somebody.sign_in(username, demo.user(username)["password"])

    return make
