import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.app.environment.push_services import PushReport, push_origins, reach_push_services
from famichat.push.subscription import Subscription, subscribe
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household
from tests.support.push_service import Browser


@asynccontextmanager
async def push_service(date: str) -> AsyncIterator[str]:
    """A service that answers every request with 404 and its time; yields its origin."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_any_answer_proves_that_a_service_is_reachable_and_tells_its_time() -> None:
    async with push_service(formatdate(time.time() - 600, usegmt=True)) as origin:
        found = await reach_push_services([origin], allow_private=True)

    assert (found.reached, found.unreachable, found.check.status) == (("127.0.0.1",), (), Check.OK)
    assert found.offset is not None
    assert 590 < found.offset < 610


async def test_a_service_without_a_clock_is_reachable() -> None:
    async with push_service("soon") as origin:
        found = await reach_push_services([origin], allow_private=True)

    assert (found.reached, found.offset) == (("127.0.0.1",), None)


async def test_a_service_that_does_not_answer_is_noticed() -> None:
    found = await reach_push_services(["http://127.0.0.1:1"], allow_private=True)

    assert found == PushReport(unreachable=("127.0.0.1",))
    assert found.check == Check(
        "push services", Check.BAD, "127.0.0.1 not reachable; allow outgoing HTTPS to these hosts"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_request_goes_to_a_private_address_that_a_user_chose(scheme: str) -> None:
    async with push_service("soon") as origin:
        found = await reach_push_services([origin.replace("http", scheme)], allow_private=False)

    assert found.unreachable == ("127.0.0.1",)


async def test_without_subscriptions_there_is_nothing_to_reach() -> None:
    found = await reach_push_services([], allow_private=False)

    assert (found.check.status, "no device has turned on notifications" in found.check.detail) == (Check.OK, True)


def test_the_services_are_those_of_the_subscriptions_without_their_secret_paths(
    database: Database, household: Household
) -> None:
    def write(session: Session) -> tuple[str, ...]:
        hosts = {household.maja: "push.example.org", household.emil: "push.example.org", household.inga: "b.test"}
        for person, host in hosts.items():
            keys = Browser(f"https://{host}/secret/{person.user_id}").subscription()
            given = Subscription.parse(keys["endpoint"], **keys["keys"])
            subscribe(session, person.device_id, given, VAULT, INDEX)
        return push_origins(session, VAULT)

    assert set(database.run(write)) == {"https://push.example.org", "https://b.test"}
