"""The change feed: a client that resumes has the same state as one that reads from the start."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.chat.errors import InvalidMessage, MessageDeleted
from famichat.chat.groups.membership import add_to_group
from famichat.chat.messages.change import Change
from famichat.chat.messages.change_feed import ChangesRequest, changes_after
from famichat.chat.messages.history import ResumeFrom, messages_after, resume
from famichat.chat.messages.schema import ChangePage, MessageView
from famichat.chat.messages.versions import former_versions
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch
from tests.factories.people import VAULT, Household, Person
from tests.factories.talk import DELETE, do, edit, group_of, react, say

LIMIT = 3


@dataclass
class Reader:
    """A client that stores messages and resumes; it requests small pages, to need more of them."""

    database: Database
    access: Any
    messages: dict[int, MessageView] = field(default_factory=dict)
    last_seq: int | None = None
    last_change: int = 0

    def resume(self) -> None:
        has = ResumeFrom(self.last_seq, self.last_change)
        found = self.database.run_read(lambda session: resume(session, self.access(session), has, vault=VAULT))
        assert found.recovered
        self._keep(found.messages)
        self._keep(found.changes["changes"])
        self.last_seq, self.last_change = found.last_seq, found.changes["last_change"]

    def catch_up(self) -> None:
        """Like `resume`, but only with small pages of changes and messages."""

        def read(session: Session) -> tuple[ChangePage, list[MessageView]]:
            access = self.access(session)
            seen = self.last_seq or 0
            changes = changes_after(session, access, self.last_change, LIMIT, up_to_seq=seen, vault=VAULT)
            return changes, messages_after(session, access, seen, LIMIT, vault=VAULT)["messages"]

        changes, messages = self.database.run_read(read)
        self._keep(changes["changes"])
        self.last_change = changes["changes"][-1]["change"] if changes["has_more"] else changes["last_change"]
        if not changes["has_more"]:
            self._keep(messages)
            self.last_seq = max([self.last_seq or 0, *(each["seq"] for each in messages)])

    def _keep(self, views: list[MessageView]) -> None:
        for view in views:
            there = self.messages.get(view["seq"])
            if there is None or view["change"] > there["change"]:
                self.messages[view["seq"]] = view


class Talk:
    """A group of Maja, Emil and Inga."""

    def __init__(self, database: Database, household: Household) -> None:
        self.database = database
        self.home = household
        self.id = database.run(lambda session: group_of(session, household))
        self.sent: list[tuple[Person, str]] = []

    def access(self, session: Session, who: Person | None = None) -> Access:
        return conversation_for(session, (who or self.home.inga).user_id, self.id)

    def say(self, who: Person, body: str) -> None:
        self.sent += [(who, each) for each in self.database.run(lambda session: say(session, self.id, who, body))]

    def do(self, who: Person, which: int, change: Change) -> None:
        self.database.run(lambda session: do(session, who, self.id, self.sent[which][1], change))

    def feed(self, asked: ChangesRequest, who: Person | None = None) -> ChangePage:
        return self.database.run_read(lambda session: asked.read(session, self.access(session, who), VAULT))

    def afresh(self) -> dict[int, MessageView]:
        page = self.database.run_read(
            lambda session: messages_after(session, self.access(session), 0, vault=VAULT)["messages"]
        )
        return {view["seq"]: view for view in page}


@pytest.fixture
def talk(database: Database, household: Household) -> Talk:
    return Talk(database, household)


picks = st.integers(0, 99)
acts = st.one_of(
    st.tuples(st.just("say"), picks, picks),
    st.tuples(st.sampled_from(["edit", "delete", "react", "react", "unreact"]), picks, picks),
    st.tuples(st.sampled_from(["resume", "catch up"]), picks, picks),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(acts, max_size=25))
def test_a_resuming_client_has_the_state_of_a_fresh_reader(
    database: Database, household: Household, history: list[tuple[str, int, int]]
) -> None:
    talk = Talk(database, household)
    readers = [Reader(database, talk.access), Reader(database, talk.access)]
    people = household.maja, household.emil, household.inga
    for act, pick, other in history:
        who = people[pick % 3]
        if act == "say" or (not talk.sent and act not in {"resume", "catch up"}):
            talk.say(who, f"{other}")
        elif act == "resume":
            readers[0].resume()
        elif act == "catch up":
            readers[1].catch_up()
        else:
            change(talk, act, who, pick % len(talk.sent), other)

    readers[0].resume()
    while readers[1].messages != talk.afresh():
        before = readers[1].last_seq or 0, readers[1].last_change
        readers[1].catch_up()
        assert (readers[1].last_seq, readers[1].last_change) > before
    assert readers[0].messages == talk.afresh()


def change(talk: Talk, act: str, who: Person, which: int, other: int) -> None:
    author = talk.sent[which][0]
    wanted: dict[str, tuple[Person, Change]] = {
        "edit": (author, edit(f"{other} in other words")),
        "delete": (author, DELETE),
        "react": (who, react(f"{other % 5}")),
        "unreact": (who, react(None)),
    }
    try:
        talk.do(wanted[act][0], which, wanted[act][1])
    except MessageDeleted:
        assert act != "delete"


def test_the_feed_gives_each_message_once_as_it_is_in_the_order_of_its_last_change(talk: Talk) -> None:
    for body in "abc":
        talk.say(talk.home.emil, body)
    wanted: list[tuple[int, Change]] = [(0, edit("A")), (1, edit("B")), (0, react("❤")), (2, DELETE)]
    for which, change in wanted:
        talk.do(talk.home.emil, which, change)

    whole = talk.feed(ChangesRequest(0))
    assert [(view["seq"], view["change"]) for view in whole["changes"]] == [(2, 2), (1, 3), (3, 4)]
    assert [view["body"] for view in whole["changes"]] == ["B", "A", None]
    assert (whole["has_more"], whole["last_change"]) == (False, 4)
    part = talk.feed(ChangesRequest(2, limit=1))
    assert ([view["seq"] for view in part["changes"]], part["has_more"], part["last_change"]) == ([1], True, 4)
    assert talk.feed(ChangesRequest(4)) == {"changes": [], "has_more": False, "last_change": 4}


def test_changes_of_messages_from_before_joining_are_not_sent(talk: Talk) -> None:
    talk.say(talk.home.emil, "before Nils")
    talk.database.run(lambda s: add_to_group(s, talk.home.maja.user_id, talk.id, talk.home.nils.user_id))
    talk.say(talk.home.emil, "after")
    talk.do(talk.home.maja, 0, react("❤"))
    talk.do(talk.home.maja, 1, react("❤"))

    assert [view["seq"] for view in talk.feed(ChangesRequest(0), talk.home.nils)["changes"]] == [2]


@pytest.mark.parametrize(
    ("has", "recovered", "changes"),
    [
        (ResumeFrom(None, 0), True, []),
        (ResumeFrom(None, 1), True, []),
        (ResumeFrom(2, 0), True, [1, 2]),
        (ResumeFrom(2, 1), True, [2]),
        (ResumeFrom(2, 2), True, []),
        (ResumeFrom(1, 0), True, [1]),
        (ResumeFrom(2, 3), False, []),
        (ResumeFrom(3, 0), False, []),
    ],
)
def test_a_join_brings_the_changes_of_what_the_client_has(
    talk: Talk,
    has: ResumeFrom,
    recovered: bool,  # noqa: FBT001 - pytest gives it by name
    changes: list[int],
) -> None:
    for which, body in enumerate("ab"):
        talk.say(talk.home.emil, body)
        talk.do(talk.home.maja, which, react("❤"))
    found = talk.database.run_read(lambda session: resume(session, talk.access(session), has, vault=VAULT))

    assert (found.recovered, [view["change"] for view in found.changes["changes"]]) == (recovered, changes)
    assert (found.changes["last_change"], found.changes["has_more"]) == (2, False)
    if not recovered or has.last_seq is None:
        assert [len(view["reactions"]) for view in found.messages] == [1, 1], "as they are now"


def test_a_change_of_another_history_means_nothing(talk: Talk) -> None:
    talk.say(talk.home.emil, "a")
    talk.do(talk.home.maja, 0, react("❤"))
    talk.database.run(begin_new_epoch)
    has = ResumeFrom(1, 1, "of another history")
    found = talk.database.run_read(lambda session: resume(session, talk.access(session), has, vault=VAULT))

    assert (found.recovered, len(found.messages), found.changes["changes"]) == (False, 1, [])


def test_the_earlier_versions_of_a_message_come_in_pages(talk: Talk) -> None:
    talk.say(talk.home.emil, "x" * 50_000)
    for number in range(7):
        talk.do(talk.home.emil, 0, edit(f"{number}" * 50_000))

    def read(session: Session, before: int | None) -> tuple[list[int], bool]:
        found = former_versions(session, talk.access(session), talk.sent[0][1], before, vault=VAULT)
        assert all(len(each["body"] or "") == 50_000 for each in found["edits"])
        return [each["version"] for each in found["edits"]], found["has_more"]

    assert talk.database.run_read(lambda session: read(session, None)) == ([2, 3, 4, 5, 6], True)
    assert talk.database.run_read(lambda session: read(session, 2)) == ([0, 1], False)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, ChangesRequest(0)),
        ({"after_change": 7, "limit": 3}, ChangesRequest(7, 3)),
        ({"after_change": None, "limit": 10_000}, ChangesRequest(0, 200)),
    ],
)
def test_a_request_for_changes_is_understood(payload: dict[str, Any], expected: ChangesRequest) -> None:
    assert ChangesRequest.parse(payload) == expected


@pytest.mark.parametrize("payload", [{"after_change": -1}, {"after_change": "1"}, {"limit": 0}, {"after_change": True}])
def test_a_malformed_request_for_changes_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidMessage):
        ChangesRequest.parse(payload)
