"""Kills during joins and removals: a family and its conversation always have the same members.

Guests join two families all the time and leave, are removed, or delete their accounts. After a kill at any time, the
members of the family and of its conversation are the same.
"""

import asyncio
import multiprocessing
import random
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_family_conversation
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant
from famichat.storage.database import Database
from tests.factories.people import PASSWORD, SECRET, Household, Person, household, person
from tests.support.effort import repetitions
from tests.support.member_churn import churn_members
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS

KILLS_OF_A_SERVER, KILLS_OF_A_WRITER = repetitions(2, long=20), repetitions(8, long=100)
GUESTS = 8
STAYS = 2  # number of stays before every second guest of a family deletes the account; the others keep coming


def move_in(session: Session) -> tuple[Household, list[Person]]:
    """Create two families, each with its conversation, and guests who belong to neither."""
    home = household(session)
    create_family_conversation(session, home.maja.user_id)
    create_family_conversation(session, home.ada.user_id)
    return home, [person(session, f"guest{number}") for number in range(GUESTS)]


def rosters(session: Session) -> dict[str, tuple[set[str], set[str]]]:
    """Return the members of each family and of its conversation."""
    found = {}
    for talk in session.execute(select(Conversation).filter_by(type="family")).scalars():
        roster = select(FamilyMembership.user_id).where(FamilyMembership.family_id == talk.family_id)
        there = select(Participant.user_id).where(Participant.conversation_id == talk.id)
        found[str(talk.family_id)] = (
            set(session.execute(roster).scalars()),
            set(session.execute(there).scalars()),
        )
    return found


def check(database: Database) -> None:
    found = database.run_read(rosters)
    assert len(found) == 2
    for roster, participants in found.values():
        assert roster == participants


class Comings:
    """Guests who join and leave over HTTP as fast as possible, and retry if the server does not reply."""

    def __init__(self, url: str, home: Household, guests: list[Person]) -> None:
        self.done: Counter[str] = Counter()
        self._url = url
        self._home = home
        self._tasks = [asyncio.create_task(self._come_and_go(guest, n)) for n, guest in enumerate(guests)]

    async def come(self, more: int) -> None:
        """Wait until this many more guests have joined."""
        until = self.done["came"] + more
        async with asyncio.timeout(60):
            while self.done["came"] < until:  # noqa: ASYNC110 - no event to wait for
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _http(self, who: Person) -> httpx.AsyncClient:
        token = Tokens(SECRET).issue(who.user_id, who.device_id)
        bearer = {"authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=f"{self._url}/api/v1", headers=bearer, trust_env=False, timeout=30)

    async def _come_and_go(self, guest: Person, number: int) -> None:
        home = self._home
        family, head = ((home.family_id, home.maja), (home.other_family_id, home.ada))[number % 2]
        async with self._http(head) as admin, self._http(guest) as http:
            for stay in range(10_000):
                try:
                    await self._stay(admin, http, f"/families/{family}", guest)
                    if stay + 1 >= STAYS + number // 4 and number % 4 > 1:
                        removed = await http.request("DELETE", "/me", json={"password": PASSWORD})
                        self.done["gone for good"] += removed.is_success
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.02)

    async def _stay(self, admin: httpx.AsyncClient, http: httpx.AsyncClient, family: str, guest: Person) -> None:
        invite = (await admin.post(f"{family}/invites", json={})).json()
        self.done["came"] += (await http.post(f"/invites/{invite['token']}/accept")).is_success
        who_asks = admin if self.done["came"] % 2 else http
        self.done["went"] += (await who_asks.delete(f"{family}/members/{guest.user_id}")).is_success


@pytest.mark.timeout(repetitions(120, long=1800))
async def test_the_family_conversation_is_its_roster_whenever_the_server_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    moments = random.Random(9)  # noqa: S311 - the same storm each time
    database = Database(database_url)
    home, guests = database.run(move_in)
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        comings = Comings(server.url, home, guests)
        for _ in range(KILLS_OF_A_SERVER):
            await comings.come(GUESTS)
            await asyncio.sleep(moments.uniform(0, 0.05))
            server.kill()
            check(database)
            await server.start()
        await comings.come(1)
        await comings.stop()
    check(database)
    database.close()
    assert comings.done["went"], comings.done
    assert comings.done["gone for good"], comings.done


def test_the_family_conversation_is_its_roster_at_whatever_moment_a_writer_is_killed(database_url: str) -> None:
    moments = random.Random(9)  # noqa: S311 - the same storm each time
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.support.member_churn"])
    database = Database(database_url)
    home, guests = database.run(move_in)
    sizes = set()
    ids = [guest.user_id for guest in guests]
    for _ in range(KILLS_OF_A_WRITER):
        begun = processes.Event()
        writer = processes.Process(
            target=churn_members, args=(database_url, home.maja.user_id, home.family_id, ids, begun)
        )
        writer.start()
        assert begun.wait(60)
        time.sleep(moments.uniform(0.02, 0.4))
        writer.kill()
        writer.join()
        check(database)
        sizes.add(len(database.run_read(rosters)[home.family_id][0]))
    database.close()
    assert len(sizes) > 1, "the kills met different moments"
