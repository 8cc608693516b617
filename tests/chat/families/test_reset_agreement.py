"""Two admins agree to reset the password of another admin."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from famichat.accounts.audit_log import audit_log_of
from famichat.accounts.errors import InvalidResetLink
from famichat.accounts.sign_in.reset import RESET_LIFE, issue_reset_link, user_to_reset
from famichat.chat.account_deletion import delete_account
from famichat.chat.errors import (
    ChatError,
    NeedsOperator,
    NeedsSecondAdmin,
    NewAdmin,
    NoResetAgreement,
    NotAdmin,
    NotFound,
    OwnAccount,
)
from famichat.chat.families.admin import create_reset_link, family_audit_log
from famichat.chat.families.family import create_family
from famichat.chat.families.membership import add_member, change_role
from famichat.chat.families.reset_agreement import (
    AGREEMENT_LIFE,
    SETTLED,
    agree_to_reset,
    ask_for_reset,
    cancel_agreement,
    cancel_own_reset,
    pending_reset_of,
    pending_resets,
)
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.support.clock import Clock

Act = Callable[..., object]


class Admins:
    """Maja, Emil and Inga have been admins of their family for a week."""

    def __init__(self, database: Database, home: Household, clock: Clock) -> None:
        self.database, self.home, self.clock = database, home, clock
        self.maja, self.emil, self.inga, self.nils = (each.user_id for each in home.everyone)
        self.promote(self.emil, self.inga)
        clock.jump(SETTLED + timedelta(seconds=1))

    def promote(self, *user_ids: str) -> None:
        for user_id in user_ids:
            self.database.run(
                partial(change_role, actor_id=self.maja, family_id=self.home.family_id, user_id=user_id, role="admin")
            )

    def act(self, action: Act, actor_id: str, user_id: str = "") -> object:
        return self.database.run(
            partial(action, actor_id=actor_id, family_id=self.home.family_id, user_id=user_id or self.inga)
        )

    def ask(self, actor_id: str = "", user_id: str = "") -> object:
        return self.act(ask_for_reset, actor_id or self.maja, user_id)

    def agree(self, actor_id: str = "", user_id: str = "") -> object:
        return self.act(agree_to_reset, actor_id or self.emil, user_id)

    def link(self, actor_id: str = "", user_id: str = "") -> str:
        return str(self.act(create_reset_link, actor_id or self.maja, user_id))

    def history(self, user_id: str) -> list[tuple[str, str | None]]:
        """The actions of an account history and who did them, the newest first."""
        entries = self.database.run_read(lambda session: audit_log_of(session, user_id).entries)
        return [(each.action, each.by_id) for each in entries if each.action.startswith("reset_")]

    def pending(self) -> list[tuple[str, str, str | None]]:
        found = self.database.run_read(partial(pending_resets, actor_id=self.maja, family_id=self.home.family_id))
        return [(each.user_id, each.asked_by_id, each.agreed_by_id) for each in found]

    def is_valid(self, token: str) -> bool:
        try:
            return self.database.run_read(lambda session: user_to_reset(session, token).id) == self.inga
        except InvalidResetLink:
            return False


@pytest.fixture
def admins(database: Database, household: Household, clock: Clock) -> Admins:
    return Admins(database, household, clock)


def test_an_admin_gets_a_link_for_another_one_when_a_third_has_agreed(admins: Admins) -> None:
    admins.ask()
    asked = admins.pending()
    with pytest.raises(NeedsSecondAdmin):
        admins.link()
    admins.agree()
    admins.agree()  # changes nothing
    agreed = admins.pending()
    with pytest.raises(NeedsSecondAdmin):
        admins.link(admins.emil)  # who agreed, but did not ask
    token = admins.link()

    assert asked == [(admins.inga, admins.maja, None)]
    assert agreed == [(admins.inga, admins.maja, admins.emil)]
    assert admins.is_valid(token)
    assert admins.pending() == []
    with pytest.raises(NeedsSecondAdmin):
        admins.link()
    history = [
        ("reset_link_created", admins.maja),
        ("reset_agreed", admins.emil),
        ("reset_requested", admins.maja),
    ]
    assert admins.history(admins.inga) == history
    page = admins.database.run_read(
        lambda session: family_audit_log(session, admins.emil, admins.home.family_id, limit=3)
    )
    assert [(each.action, each.by_id) for each in page.entries] == history


def test_asking_and_agreeing_are_valid_for_an_hour_each(admins: Admins) -> None:
    admins.ask()
    admins.clock.jump(AGREEMENT_LIFE + timedelta(seconds=1))
    with pytest.raises(NoResetAgreement):
        admins.agree()
    assert admins.pending() == []
    admins.ask(admins.emil)  # replaces the one of Maja
    admins.clock.jump(AGREEMENT_LIFE - timedelta(seconds=10))
    admins.agree(admins.maja)
    admins.clock.jump(AGREEMENT_LIFE - timedelta(seconds=10))
    assert admins.pending() == [(admins.inga, admins.emil, admins.maja)]
    admins.clock.jump(timedelta(seconds=20))

    assert admins.pending() == []
    with pytest.raises(NeedsSecondAdmin):
        admins.link(admins.emil)


def test_a_time_from_when_the_clock_was_ahead_is_not_valid(admins: Admins) -> None:
    admins.clock.jump(timedelta(days=1))
    admins.ask()
    admins.clock.jump(-timedelta(days=1))

    with pytest.raises(NoResetAgreement):
        admins.agree()
    assert admins.pending() == []


def test_asking_again_keeps_what_was_asked_for_and_agreed(admins: Admins) -> None:
    admins.ask()
    admins.ask(admins.emil)
    admins.agree()
    admins.ask()

    assert admins.pending() == [(admins.inga, admins.maja, admins.emil)]
    assert [action for action, _ in admins.history(admins.inga)] == ["reset_agreed", "reset_requested"]


@pytest.mark.parametrize("action", [ask_for_reset, agree_to_reset])
def test_only_two_other_admins_of_the_family_can_agree(admins: Admins, action: Act) -> None:
    admins.ask()
    ada = admins.home.ada.user_id
    refused: list[tuple[str, str, type[ChatError]]] = [
        (admins.nils, admins.inga, NotAdmin),
        (ada, admins.inga, NotFound),
        (admins.maja, ada, NotFound),
        (admins.inga, admins.inga, OwnAccount),
    ]
    if action is agree_to_reset:
        refused += [(admins.maja, admins.inga, NeedsSecondAdmin), (admins.emil, admins.nils, NoResetAgreement)]

    for actor_id, user_id, fault in refused:
        with pytest.raises(fault):
            admins.act(action, actor_id, user_id)


def test_a_new_admin_can_neither_ask_nor_agree(admins: Admins) -> None:
    admins.promote(admins.nils)
    with pytest.raises(NewAdmin):
        admins.ask(admins.nils)
    admins.ask()
    with pytest.raises(NewAdmin):
        admins.agree(admins.nils)


def test_someone_who_joined_as_an_admin_within_a_week_can_neither_ask_nor_agree(admins: Admins) -> None:
    ada, family_id = admins.home.ada.user_id, admins.home.family_id
    admins.database.run(lambda session: add_member(session, family_id, ada, "admin"))
    with pytest.raises(NewAdmin):
        admins.ask(ada)
    admins.ask()
    with pytest.raises(NewAdmin):
        admins.agree(ada)


def test_the_operator_is_needed_if_there_are_no_two_others_or_the_user_has_another_family(admins: Admins) -> None:
    admins.act(partial(change_role, role="member"), admins.maja, admins.emil)
    for action in (admins.ask, admins.agree, admins.link):
        with pytest.raises(NeedsOperator):
            action(admins.maja)
    admins.promote(admins.emil)
    admins.clock.jump(SETTLED + timedelta(seconds=1))
    admins.ask()
    admins.agree()
    admins.database.run(lambda session: create_family(session, "Berg", admins.inga))
    for action in (admins.ask, admins.link):
        with pytest.raises(NeedsOperator):
            action(admins.maja)


def test_an_agreement_ends_when_one_of_the_two_is_no_longer_an_admin(admins: Admins) -> None:
    admins.promote(admins.nils)
    admins.clock.jump(SETTLED + timedelta(seconds=1))
    admins.ask()
    admins.agree()
    admins.act(partial(change_role, role="member"), admins.nils, admins.emil)

    with pytest.raises(NeedsSecondAdmin):
        admins.link()


def test_an_admin_who_was_made_a_member_needs_two_admins_for_a_week(admins: Admins) -> None:
    admins.promote(admins.nils)
    admins.clock.jump(SETTLED + timedelta(seconds=1))
    admins.act(partial(change_role, role="member"), admins.maja, admins.inga)
    with pytest.raises(NeedsSecondAdmin):
        admins.link()
    admins.ask()
    admins.agree()
    assert admins.is_valid(admins.link())
    admins.clock.jump(SETTLED + timedelta(seconds=1))

    assert admins.is_valid(admins.link(admins.emil))


def test_the_user_cancels_and_the_admin_who_asked_can_read_it(admins: Admins) -> None:
    admins.ask()
    admins.agree()
    family_id = admins.database.run(lambda session: cancel_own_reset(session, admins.inga))

    assert family_id == admins.home.family_id
    with pytest.raises(NeedsSecondAdmin):
        admins.link()
    assert admins.history(admins.maja) == [("reset_cancelled", admins.inga)]
    assert admins.database.run(lambda session: cancel_own_reset(session, admins.inga)) is None
    assert admins.history(admins.maja) == [("reset_cancelled", admins.inga)]


def test_the_user_cancels_a_link_that_exists(admins: Admins) -> None:
    admins.ask()
    admins.agree()
    token = admins.link()
    admins.database.run(lambda session: cancel_own_reset(session, admins.inga))

    assert not admins.is_valid(token)
    assert admins.history(admins.maja) == [("reset_cancelled", admins.inga)]


def test_cancelling_an_expired_link_or_request_is_not_recorded(admins: Admins) -> None:
    admins.ask()
    admins.agree()
    admins.link()
    admins.ask()
    admins.clock.jump(RESET_LIFE + timedelta(seconds=1))
    admins.database.run(lambda session: cancel_own_reset(session, admins.inga))

    assert admins.history(admins.maja) == []


def test_cancelling_a_link_of_the_operator_is_recorded_for_no_one(admins: Admins) -> None:
    token = admins.database.run(lambda session: issue_reset_link(session, admins.inga, by=None))
    admins.database.run(lambda session: cancel_own_reset(session, admins.inga))

    assert not admins.is_valid(token)
    assert admins.history(admins.inga) == [("reset_link_created", None)]


@pytest.mark.parametrize("by_the_asker", [False, True])
def test_another_admin_refuses_or_the_asker_withdraws(admins: Admins, *, by_the_asker: bool) -> None:
    admins.ask()
    actor_id, concerned = (admins.maja, admins.inga) if by_the_asker else (admins.emil, admins.maja)
    admins.act(cancel_agreement, actor_id)

    assert admins.pending() == []
    assert admins.history(concerned)[0] == ("reset_cancelled", actor_id)
    with pytest.raises(NoResetAgreement):
        admins.act(cancel_agreement, actor_id)


def test_the_user_sees_what_is_pending_until_it_expires(admins: Admins) -> None:
    def seen() -> str | None:
        found = admins.database.run_read(lambda session: pending_reset_of(session, admins.inga))
        return None if found is None else found.asked_by_id

    before = seen()
    admins.ask()
    during = seen()
    admins.clock.jump(AGREEMENT_LIFE + timedelta(seconds=1))

    assert (before, during, seen()) == (None, admins.maja, None)


def test_a_deleted_account_takes_its_agreements_with_it(admins: Admins) -> None:
    admins.ask()
    admins.database.run(lambda session: delete_account(session, admins.maja))

    found = admins.database.run_read(lambda session: pending_reset_of(session, admins.inga))
    assert found is None
