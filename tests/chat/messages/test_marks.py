"""Pins, stars and hidden messages."""

import pytest
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.errors import ContactEnded, MessageDeleted, NotAdmin, NotFound, TooManyMarks
from famichat.chat.families.blocks import block
from famichat.chat.groups.membership import add_to_group
from famichat.chat.messages import marks
from famichat.chat.messages.change import Deletion
from famichat.chat.messages.marks import MAX_PINS, mark_message, marks_of, pin, unmark_message, unpin
from famichat.chat.messages.schema import MarksView
from famichat.chat.records.message_mark import MARKS
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, do, group_of, say


def seen(session: Session, who: Person, conversation_id: str) -> MarksView:
    return marks_of(session, conversation_for(session, who.user_id, conversation_id))


def test_both_members_of_a_direct_conversation_pin_at_most_five_messages(
    database: Database, household: Household
) -> None:
    def work(session: Session) -> None:
        direct = direct_of(session, household)
        maja, emil = (conversation_for(session, each.user_id, direct) for each in (household.maja, household.emil))
        sent = say(session, direct, household.maja, *map(str, range(MAX_PINS + 1)))
        assert [pin(session, emil, each) for each in sent[:MAX_PINS]] == [True] * MAX_PINS
        assert pin(session, maja, sent[0]) is False, "it is pinned already"
        with pytest.raises(TooManyMarks) as refused:
            pin(session, maja, sent[-1])
        assert refused.value.details == {"max": MAX_PINS}
        assert unpin(session, maja, sent[1]) is True
        assert unpin(session, maja, sent[1]) is False
        pin(session, maja, sent[-1])
        for who in (household.maja, household.emil):
            pinned = seen(session, who, direct)["pinned"]
            assert {each["message_id"] for each in pinned} == {sent[0], *sent[2:]}
            by = {each["seq"]: each["user_id"] for each in pinned}
            assert by[MAX_PINS + 1] == household.maja.user_id
            assert by[1] == household.emil.user_id

    database.run(work)


def test_a_deleted_message_is_pinned_and_starred_no_longer(database: Database, household: Household) -> None:
    def work(session: Session) -> None:
        direct = direct_of(session, household)
        access = conversation_for(session, household.maja.user_id, direct)
        first, *others = say(session, direct, household.maja, *map(str, range(MAX_PINS + 1)))
        for each in [first, *others[1:]]:
            pin(session, access, each)
        mark_message(session, access, first, "starred")
        do(session, household.maja, direct, first, Deletion())
        assert seen(session, household.maja, direct)["starred"] == []
        with pytest.raises(MessageDeleted):
            pin(session, access, first)
        pin(session, access, others[0])
        assert len(seen(session, household.maja, direct)["pinned"]) == MAX_PINS

    database.run(work)


def test_only_admins_pin_in_a_group(database: Database, household: Household) -> None:
    def work(session: Session) -> None:
        group = group_of(session, household)
        [sent] = say(session, group, household.emil, "The key is under the pot")
        for what in (pin, unpin):
            with pytest.raises(NotAdmin):
                what(session, conversation_for(session, household.emil.user_id, group), sent)
        pin(session, conversation_for(session, household.maja.user_id, group), sent)
        assert [each["message_id"] for each in seen(session, household.emil, group)["pinned"]] == [sent]

    database.run(work)


def test_nothing_is_pinned_after_contact_has_ended_but_stars_are_the_users_own(
    database: Database, household: Household
) -> None:
    def work(session: Session) -> None:
        direct = direct_of(session, household)
        [sent] = say(session, direct, household.maja, "hej")
        block(session, household.emil.user_id, household.maja.user_id)
        access = conversation_for(session, household.maja.user_id, direct)
        with pytest.raises(ContactEnded):
            pin(session, access, sent)
        assert mark_message(session, access, sent, "starred") is True

    database.run(work)


def test_stars_and_hidden_messages_belong_to_one_user(
    database: Database, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "MAX_MARKS", 2)

    def work(session: Session) -> None:
        direct = direct_of(session, household)
        access = conversation_for(session, household.maja.user_id, direct)
        sent = say(session, direct, household.emil, "one", "two", "three")
        assert [mark_message(session, access, each, "starred") for each in (sent[0], sent[0], sent[2])] == [
            True,
            False,
            True,
        ]
        mark_message(session, access, sent[1], "hidden")
        with pytest.raises(TooManyMarks):
            mark_message(session, access, sent[1], "starred")
        own: MarksView = {"pinned": [], "starred": [3, 1], "hidden": [2]}
        others: MarksView = {"pinned": [], "starred": [], "hidden": []}
        assert [seen(session, who, direct) for who in (household.maja, household.emil)] == [own, others]
        assert unmark_message(session, access, sent[0], "starred") is True
        assert unmark_message(session, access, sent[0], "starred") is False
        assert seen(session, household.maja, direct)["starred"] == [3]

    database.run(work)


def test_stars_of_deleted_messages_do_not_count(
    database: Database, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "MAX_MARKS", 1)

    def work(session: Session) -> None:
        direct = direct_of(session, household)
        access = conversation_for(session, household.maja.user_id, direct)
        first, second = say(session, direct, household.maja, "one", "two")
        for mark in MARKS:
            mark_message(session, access, first, mark)
        do(session, household.maja, direct, first, Deletion())
        assert mark_message(session, access, second, "starred") is True
        with pytest.raises(TooManyMarks):  # a deleted message is shown as deleted, unless it is hidden
            mark_message(session, access, second, "hidden")

    database.run(work)


def test_messages_that_a_member_cannot_see_are_not_marked_for_them(database: Database, household: Household) -> None:
    def work(session: Session) -> None:
        group = group_of(session, household)
        [sent] = say(session, group, household.maja, "before")
        pin(session, conversation_for(session, household.maja.user_id, group), sent)
        add_to_group(session, household.maja.user_id, group, household.nils.user_id)
        newcomer = conversation_for(session, household.nils.user_id, group)
        assert marks_of(session, newcomer)["pinned"] == []
        for mark in (mark_message, unmark_message):
            with pytest.raises(NotFound):
                mark(session, newcomer, sent, "starred")

    database.run(work)
