"""Pages and resume: every visible message once, in order."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.messages.history import (
    PageRequest,
    Resume,
    ResumeFrom,
    message_with_id,
    messages_after,
    messages_before,
    resume,
    seq_of,
)
from famichat.chat.messages.page import MAX_PAGE
from famichat.chat.messages.schema import MessagePage, MessageView
from famichat.chat.records.participant import Participant
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch, current_epoch
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry.events import Event, MessageDamaged
from tests.factories import people
from tests.factories.people import VAULT, Household
from tests.factories.talk import direct_of, do, group_of, react, say
from tests.support.effort import repetitions

SAID = 250
FROM = 21
anywhere = st.integers(0, SAID + 20)
Outcome = tuple[list[MessageView], list[MessageView] | None]
"""The page before and after damage; None if the database refused to read."""
each_database = settings(
    max_examples=repetitions(12, long=100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Talk:
    """A conversation with 250 messages by Maja and Emil; Emil sees those from the 21st."""

    def __init__(self, database: Database, household: Household) -> None:
        self.database = database
        self.household = household
        self.id = database.run(self._said)
        self.epoch = database.run_read(current_epoch)

    def access(self, session: Session, who: str = "emil") -> Access:
        return conversation_for(session, getattr(self.household, who).user_id, self.id, "direct")

    def after(self, seq: int, limit: int = MAX_PAGE) -> MessagePage:
        return self.database.run_read(
            lambda session: messages_after(session, self.access(session), seq, limit, vault=VAULT)
        )

    def before(self, seq: int | None = None, limit: int = MAX_PAGE) -> MessagePage:
        return self.database.run_read(
            lambda session: messages_before(session, self.access(session), seq, limit, vault=VAULT)
        )

    def resume(self, last_seq: int | None, epoch: str | None = None) -> Resume:
        return self.database.run_read(
            lambda session: resume(session, self.access(session), ResumeFrom(last_seq, 0, epoch), vault=VAULT)
        )

    def _said(self, session: Session) -> str:
        conversation_id = direct_of(session, self.household)
        say(session, conversation_id, self.household.maja, *(f"{n}" for n in range(1, SAID + 1)))
        emil = Participant.user_id == self.household.emil.user_id
        session.execute(update(Participant).where(emil).values(visible_from_seq=FROM, checksum=None))
        return conversation_id


@pytest.fixture
def talk(database: Database, household: Household) -> Talk:
    return Talk(database, household)


def seqs(found: MessagePage | Resume) -> list[int]:
    messages = found.messages if isinstance(found, Resume) else found["messages"]
    return [view["seq"] for view in messages]


@each_database
@given(after=anywhere, limit=st.integers(1, 300))
def test_a_page_after_is_the_next_ones(talk: Talk, after: int, limit: int) -> None:
    page = talk.after(after, limit)
    expected = [seq for seq in range(FROM, SAID + 1) if seq > after]

    assert seqs(page) == expected[: min(limit, MAX_PAGE)]
    assert page["has_more"] == (len(expected) > min(limit, MAX_PAGE))


@each_database
@given(before=anywhere, limit=st.integers(1, 300))
def test_a_page_before_is_the_last_ones_in_order(talk: Talk, before: int, limit: int) -> None:
    page = talk.before(before, limit)
    expected = [seq for seq in range(FROM, SAID + 1) if seq < before]

    assert seqs(page) == expected[-min(limit, MAX_PAGE) :]
    assert page["has_more"] == (len(expected) > min(limit, MAX_PAGE))


@each_database
@given(limit=st.integers(20, 200))
def test_pages_put_together_are_the_whole(talk: Talk, limit: int) -> None:
    forward: list[int] = []
    backward: list[int] = []
    while page := seqs(talk.after(forward[-1] if forward else 0, limit)):
        forward += page
    while page := seqs(talk.before(backward[0] if backward else None, limit)):
        backward = page + backward

    assert forward == backward == list(range(FROM, SAID + 1))


def test_each_message_has_the_body_that_was_sent(talk: Talk) -> None:
    assert [view["body"] for view in talk.after(SAID - 3)["messages"]] == ["248", "249", "250"]


@each_database
@given(last_seq=st.integers(0, SAID), with_epoch=st.booleans())
def test_a_resume_returns_exactly_the_missed_messages(talk: Talk, last_seq: int, with_epoch: bool) -> None:  # noqa: FBT001 - Hypothesis gives it by name
    found = talk.resume(last_seq, talk.epoch if with_epoch else None)
    missed = [seq for seq in range(FROM, SAID + 1) if seq > last_seq]

    assert found.recovered
    assert seqs(found) == missed[:MAX_PAGE]
    assert found.has_more == (len(missed) > MAX_PAGE)
    assert (found.last_seq, found.epoch) == (SAID, talk.epoch)


@pytest.mark.parametrize("epoch", [None, "present"])
def test_a_first_join_gets_the_newest(talk: Talk, epoch: str | None) -> None:
    found = talk.resume(None, talk.epoch if epoch else None)

    assert found.recovered
    assert seqs(found) == list(range(SAID - MAX_PAGE + 1, SAID + 1))
    assert found.has_more


@pytest.mark.parametrize("last_seq", [None, 0, 100, SAID])
def test_another_history_starts_over_and_says_so(talk: Talk, last_seq: int | None) -> None:
    talk.database.run(begin_new_epoch)
    found = talk.resume(last_seq, talk.epoch)

    assert not found.recovered
    assert found.epoch != talk.epoch
    assert seqs(found) == list(range(SAID - MAX_PAGE + 1, SAID + 1))


def test_a_place_that_was_never_reached_starts_over_and_says_so(talk: Talk) -> None:
    found = talk.resume(SAID + 1, talk.epoch)

    assert not found.recovered
    assert seqs(found)[-1] == SAID


def test_a_resume_without_missed_messages_returns_none(talk: Talk) -> None:
    found = talk.resume(SAID, talk.epoch)

    assert (found.recovered, found.messages, found.has_more) == (True, [], False)


def test_a_silent_conversation_has_an_empty_history(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))

    def look(session: Session) -> Resume:
        access = conversation_for(session, household.inga.user_id, group_id)
        return resume(session, access, ResumeFrom(), vault=VAULT)

    found = database.run_read(look)

    assert (found.messages, found.has_more, found.last_seq, found.recovered) == ([], False, 0, True)


def test_a_message_is_found_in_its_own_conversation_only(database: Database, household: Household) -> None:
    direct_id, group_id = database.run(lambda s: (direct_of(s, household), group_of(s, household)))
    [here] = database.run(lambda session: say(session, direct_id, household.maja, "here"))
    [there] = database.run(lambda session: say(session, group_id, household.maja, "there"))

    def look(session: Session, message_id: str) -> tuple[Any, int]:
        access = conversation_for(session, household.emil.user_id, direct_id)
        return message_with_id(session, access, message_id, vault=VAULT)["body"], seq_of(session, access, message_id)

    assert database.run_read(lambda session: look(session, here)) == ("here", 1)
    for message_id in (there, new_id(), "malformed"):
        with pytest.raises(NotFound):
            database.run_read(lambda session, message_id=message_id: look(session, message_id))  # type: ignore[misc]  # mypy cannot infer a lambda's default


def test_a_message_from_before_joining_is_not_found(talk: Talk) -> None:
    early, late = (
        talk.database.run_read(
            lambda session, seq=seq: messages_after(session, talk.access(session, "maja"), seq - 1, 1, vault=VAULT)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        )["messages"][0]["message_id"]
        for seq in (FROM - 1, FROM)
    )

    assert talk.database.run_read(lambda session: seq_of(session, talk.access(session), late)) == FROM
    with pytest.raises(NotFound):
        talk.database.run_read(lambda session: seq_of(session, talk.access(session), early))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, PageRequest()),
        ({"after_seq": 0}, PageRequest(after_seq=0)),
        ({"before_seq": 7, "limit": 3, "unknown": 1}, PageRequest(before_seq=7, limit=3)),
        ({"after_seq": None, "limit": 100_000}, PageRequest(limit=MAX_PAGE)),
    ],
)
def test_a_fetch_is_understood(payload: dict[str, Any], expected: PageRequest) -> None:
    assert PageRequest.parse(payload) == expected


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"after_seq": 1, "before_seq": 2}, "before_seq"),
        ({"after_seq": -1}, "after_seq"),
        ({"after_seq": "1"}, "after_seq"),
        ({"after_seq": True}, "after_seq"),
        ({"before_seq": 1.5}, "before_seq"),
        ({"before_seq": 2**64}, "before_seq"),
        ({"limit": 0}, "limit"),
        ({"limit": []}, "limit"),
    ],
)
def test_a_malformed_fetch_is_refused(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        PageRequest.parse(payload)

    assert refusal.value.details == {"field": field}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (PageRequest(after_seq=248), [249, 250]),
        (PageRequest(before_seq=24), [21, 22, 23]),
        (PageRequest(limit=2), [249, 250]),
    ],
)
def test_a_fetch_reads_its_page(talk: Talk, asked: PageRequest, expected: list[int]) -> None:
    page = talk.database.run_read(lambda session: asked.read(session, talk.access(session), VAULT))

    assert seqs(page) == expected


# Damage

SENT = tuple(f"message {number}" for number in range(1, 9))


@pytest.fixture
def damaged(tmp_path: Path, migrated_sqlite: Path) -> Callable[[Callable[[Path], None]], Outcome]:
    """Damage a stopped database with eight messages, and return the page that Emil reads then, and the intact one."""
    file, copy = tmp_path / "famichat.db", tmp_path / "damaged.db"
    shutil.copy(migrated_sqlite, file)
    database = Database(f"sqlite:///{file}")

    def fill(session: Session) -> tuple[str, str]:
        home = people.household(session)
        conversation_id = direct_of(session, home)
        ids = say(session, conversation_id, home.maja, *SENT[:7])
        say(session, conversation_id, home.maja, SENT[7], client_id="last", fingerprint=b"f" * 32)
        do(session, home.emil, conversation_id, ids[1], react("❤"))
        return home.emil.user_id, conversation_id

    emil, conversation_id = database.run(fill)
    database.close()

    def read(path: Path) -> list[MessageView]:
        opened = Database(f"sqlite:///{path}")
        try:
            return opened.run_read(
                lambda session: messages_after(
                    session, conversation_for(session, emil, conversation_id), 0, vault=VAULT
                )
            )["messages"]
        finally:
            opened.close()

    intact = read(file)

    def after(damage: Callable[[Path], None]) -> Outcome:
        shutil.copy(file, copy)
        damage(copy)
        try:
            return intact, read(copy)
        except (StorageUnavailable, NotFound, DatabaseError):
            return intact, None

    return after


def sql(statement: str) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(f"PRAGMA ignore_check_constraints = ON; {statement};")

    return damage


@pytest.mark.parametrize(
    "change",
    [
        "user_id = replace(user_id, '7', '6')",
        "message_type = 'tezt'",
        "message_type = CAST(x'FF' AS TEXT)",
        "inserted_at = 'nonsense'",
        "seq = 12",
        "deleted_at = inserted_at",
        "body = NULL",
    ],
)
def test_a_damaged_message_keeps_its_position_and_shows_nothing(
    damaged: Callable[[Callable[[Path], None]], Outcome], change: str, emitted: list[Event]
) -> None:
    intact, page = damaged(sql(f"UPDATE messages SET {change} WHERE seq = 3"))  # noqa: S608 - constants only

    assert page is not None
    assert [view["seq"] for view in page] == list(range(1, 9))
    assert [*page[:2], *page[3:]] == [*intact[:2], *intact[3:]]
    assert (page[2]["body"], page[2]["error_code"]) == (None, 603)
    assert page[2]["user_id"] == "00000000-0000-0000-0000-000000000000"
    assert any(isinstance(event, MessageDamaged) for event in emitted)


def test_a_message_that_an_index_has_lost_is_shown_as_damaged(
    damaged: Callable[[Callable[[Path], None]], Outcome],
) -> None:
    intact, page = damaged(sql("DELETE FROM messages WHERE seq = 3"))

    assert page is not None
    assert [view["seq"] for view in page if "error_code" in view] == [3]
    assert [view for view in page if "error_code" not in view] == [*intact[:2], *intact[3:]]


@pytest.mark.timeout(60)
def test_no_flipped_bit_of_the_messages_is_served(damaged: Callable[[Callable[[Path], None]], Outcome]) -> None:
    chance = random.Random(7)  # noqa: S311 - reproducible, no secret

    def flip(file: Path) -> None:
        content = bytearray(file.read_bytes())
        place = content.index(chance.choice(intact)["message_id"].encode()) // 4096 * 4096 + chance.randrange(4096)
        content[place] ^= 1 << chance.randrange(8)
        file.write_bytes(content)

    intact, _ = damaged(lambda _: None)
    wrong, noticed = [], 0
    for _ in range(150):
        _, page = damaged(flip)
        served = [view for view in page or () if "error_code" not in view]
        # A foreign key may become null when its row is deleted, so it is not covered.
        wrong += [
            view for view in served if {**view, "device_id": None} not in [{**v, "device_id": None} for v in intact]
        ]
        noticed += page is None or len(served) < len(intact)

    assert wrong == []
    assert noticed > 10
