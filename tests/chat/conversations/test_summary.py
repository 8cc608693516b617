"""The unread count: computed from positions, within the range that the member may see."""

from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.access import conversation_for, everyones_access
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.journal.batch import write_batch
from famichat.chat.journal.entry import Stored
from famichat.chat.records.conversation import Conversation, History
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant, participants
from famichat.chat.records.receipt import Receipt
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import DELETE, acknowledged, direct_of, do, entry_of, say
from tests.support.effort import repetitions

HISTORIES = repetitions(3, long=40)


def unread(database: Database, who: Person, conversation_id: str) -> int:
    def look(session: Session) -> int:
        access = conversation_for(session, who.user_id, conversation_id)
        return unread_counts(session, [(access.conversation.id, access.user_id)])[conversation_id, who.user_id]

    return database.run_read(look)


def test_ones_own_messages_are_never_unread(database: Database, household: Household) -> None:
    direct = database.run(lambda session: direct_of(session, household))
    for who in (household.emil, household.maja, household.emil):
        database.run(lambda session, who=who: say(session, direct, who, "a", "b"))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    assert (unread(database, household.maja, direct), unread(database, household.emil, direct)) == (4, 2)


def test_the_furthest_of_ones_devices_counts(database: Database, household: Household) -> None:
    maja = household.maja

    def fill(session: Session) -> str:
        direct = direct_of(session, household)
        say(session, direct, household.emil, *"abcde")
        tablet = add_device(session, maja.user_id, "tablet").id
        acknowledged(session, direct, maja, 2)
        acknowledged(session, direct, maja, 4, device_id=tablet)
        acknowledged(session, direct, maja, 5, "delivered")
        return direct

    assert unread(database, maja, database.run(fill)) == 1


@pytest.mark.parametrize(("history", "after_return"), [("joined", 0), ("all", 3)])
def test_only_visible_messages_are_unread_for_a_returning_member(
    database: Database, household: Household, history: History, after_return: int
) -> None:
    maja, emil, inga = household.maja, household.emil, household.inga

    def leave_and_return(session: Session) -> str:
        made = create_group_conversation(session, maja.user_id, "Fika", [emil.user_id, inga.user_id], history=history)
        group = made.conversation.id
        say(session, group, maja, "1", "2")
        acknowledged(session, group, emil, 2)
        remove_from_group(session, emil.user_id, group, emil.user_id)
        say(session, group, maja, "3", "4", "5")
        add_to_group(session, maja.user_id, group, emil.user_id)
        return group

    group = database.run(leave_and_return)
    before = unread(database, emil, group)
    database.run(lambda session: say(session, group, maja, "6"))

    assert (before, unread(database, emil, group)) == (after_return, after_return + 1)


def test_a_newcomer_has_missed_nothing(database: Database, household: Household) -> None:
    def fill(session: Session) -> str:
        people = [household.emil.user_id, household.inga.user_id]
        group = create_group_conversation(session, household.maja.user_id, "Fika", people).conversation.id
        say(session, group, household.maja, "1", "2")
        add_to_group(session, household.maja.user_id, group, household.nils.user_id)
        say(session, group, household.emil, "3")
        return group

    group = database.run(fill)
    everyone = database.run_read(
        lambda session: unread_counts(session, [(group, each.user_id) for each in everyones_access(session, group)])
    )

    assert {user_id: count for (_, user_id), count in everyone.items()} == {
        household.maja.user_id: 1,
        household.emil.user_id: 2,
        household.inga.user_id: 3,
        household.nils.user_id: 1,
    }


def counted(session: Session, group: str, user_id: str) -> int:
    """Count the unread messages one by one."""
    visible_from = session.execute(
        select(Participant.visible_from_seq).where(Participant.conversation_id == group, Participant.user_id == user_id)
    ).scalar_one()
    read = select(func.coalesce(func.max(Receipt.read_seq), 0)).where(
        Receipt.conversation_id == group, Receipt.user_id == user_id
    )
    unread = select(func.count()).where(
        Message.conversation_id == group,
        Message.user_id != user_id,
        Message.seq >= visible_from,
        Message.seq > read.scalar_subquery(),
    )
    return session.execute(unread).scalar_one()


class RandomHistory:
    """A group whose members send, read, delete, leave and return at random."""

    def __init__(self, database: Database, household: Household, history: History, random: Random) -> None:
        self._database, self._home, self._random = database, household, random
        self._others = [household.emil, household.inga, household.nils]
        ids = [each.user_id for each in self._others]
        self.group = database.run(
            lambda session: (
                create_group_conversation(session, household.maja.user_id, "Fika", ids, history=history).conversation.id
            )
        )
        self._sent: list[tuple[Person, str]] = []

    async def go_on(self) -> None:
        """Let the members do one thing."""
        present = self._present()
        who = self._random.choice(present)
        match self._random.randrange(6):
            case 0 | 1 | 2:
                senders = self._random.choices(self._home.everyone, k=self._random.randrange(1, 6))
                encrypted = {"encryption_flag": True, "encryption_version": "v1", "key_id": "1"}
                entries = [entry_of(self.group, each, **encrypted) for each in senders]
                outcomes = await write_batch(self._database, entries)
                stored = {each.id for each in outcomes if isinstance(each, Stored)}
                self._sent += [(who, e.id) for who, e in zip(senders, entries, strict=True) if e.id in stored]
            case 3 | 4:
                self._database.run(lambda session: self._read(session, who))
            case _ if self._sent and self._random.random() < 0.5:
                sender, message_id = self._random.choice(self._sent)
                if sender in present:
                    self._database.run(lambda session: do(session, sender, self.group, message_id, DELETE))
            case _:
                self._database.run(self._come_or_go)

    def _present(self) -> list[Person]:
        ids = self._database.run_read(lambda session: participants(session, self.group))
        return [each for each in self._home.everyone if each.user_id in ids]

    def _read(self, session: Session, who: Person) -> None:
        last = session.get_one(Conversation, self.group).last_seq
        acknowledged(session, self.group, who, self._random.randint(0, last))

    def _come_or_go(self, session: Session) -> None:
        who = self._random.choice(self._others)
        if session.get(Participant, (self.group, who.user_id)) is None:
            add_to_group(session, self._home.maja.user_id, self.group, who.user_id)
        else:
            remove_from_group(session, who.user_id, self.group, who.user_id)


@pytest.mark.parametrize("seed", range(HISTORIES))
@pytest.mark.parametrize("history", ["joined", "all"])
async def test_the_count_is_that_of_the_unread_messages(
    database: Database, household: Household, history: History, seed: int
) -> None:
    talk = RandomHistory(database, household, history, Random(seed))  # noqa: S311 - a reproducible history

    def compare(session: Session) -> None:
        ids = participants(session, talk.group)
        counts = unread_counts(session, [(talk.group, each) for each in ids])
        assert counts == {(talk.group, each): counted(session, talk.group, each) for each in ids}

    for _ in range(40):
        await talk.go_on()
        database.run_read(compare)
