"""The recipients of notifications, as of the time of sending."""

from sqlalchemy.orm import Session

from famichat.accounts.names.display_name import parse_display_name
from famichat.accounts.profile import change_profile
from famichat.chat.access import conversation_for
from famichat.chat.messages.history import messages_before
from famichat.chat.messages.schema import MessageView
from famichat.push.notification import notices
from famichat.push.preferences import PushPreferences, change_preferences
from famichat.push.subscription import Subscription, subscribe
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household
from tests.factories.talk import DELETE, GROUND, direct_of, do, say
from tests.support.statements import count_statements

# The browser's keys in RFC 8291, appendix A.
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"


def test_a_notification_contains_the_display_name_of_the_sender(database: Database, household: Household) -> None:
    def talk(session: Session) -> list[MessageView]:
        conversation_id = direct_of(session, household)
        change_profile(session, household.maja.user_id, {"display_name": parse_display_name("Mum 🌷")})
        browser = Subscription.parse("https://push.example.org/a", P256DH, AUTH)
        subscribe(session, household.emil.device_id, browser, VAULT, INDEX)
        change_preferences(session, household.emil.user_id, PushPreferences("sender"))
        say(session, conversation_id, household.maja, "hello")
        access = conversation_for(session, household.emil.user_id, conversation_id)
        return messages_before(session, access, vault=VAULT)["messages"]

    messages = database.run(talk)
    [notice] = database.run_read(lambda session: notices(session, messages, GROUND.policies))

    assert notice.payload["sender"] == "Mum 🌷"


def test_a_deleted_message_sends_no_notification(database: Database, household: Household) -> None:
    def talk(session: Session) -> tuple[str, list[str], list[MessageView]]:
        conversation_id = direct_of(session, household)
        browser = Subscription.parse("https://push.example.org/a", P256DH, AUTH)
        subscribe(session, household.emil.device_id, browser, VAULT, INDEX)
        ids = say(session, conversation_id, household.maja, "oops", "hello")
        access = conversation_for(session, household.emil.user_id, conversation_id)
        return conversation_id, ids, messages_before(session, access, vault=VAULT)["messages"]

    def ringing() -> list[str]:
        found = database.run_read(lambda session: notices(session, messages, GROUND.policies))
        return [notification.message["message_id"] for notification in found]

    conversation_id, ids, messages = database.run(talk)
    assert ringing() == ids
    database.run(lambda session: do(session, household.maja, conversation_id, ids[0], DELETE))

    assert ringing() == [ids[1]]


def test_a_device_is_not_notified_of_messages_from_before_its_subscription(
    database: Database, household: Household
) -> None:
    def talk(session: Session) -> list[MessageView]:
        conversation_id = direct_of(session, household)
        say(session, conversation_id, household.maja, "before")
        browser = Subscription.parse("https://push.example.org/a", P256DH, AUTH)
        subscribe(session, household.emil.device_id, browser, VAULT, INDEX)
        say(session, conversation_id, household.maja, "after")
        access = conversation_for(session, household.emil.user_id, conversation_id)
        return messages_before(session, access, vault=VAULT)["messages"]

    messages = database.run(talk)
    found = database.run_read(lambda session: notices(session, messages, GROUND.policies))

    assert [notification.message["body"] for notification in found] == ["after"]


def test_a_shortened_text_ends_with_an_ellipsis(database: Database, household: Household) -> None:
    def talk(session: Session) -> list[MessageView]:
        conversation_id = direct_of(session, household)
        browser = Subscription.parse("https://push.example.org/a", P256DH, AUTH)
        subscribe(session, household.emil.device_id, browser, VAULT, INDEX)
        change_preferences(session, household.emil.user_id, PushPreferences("full"))
        say(session, conversation_id, household.maja, "a" * 500, "b" * 501)
        access = conversation_for(session, household.emil.user_id, conversation_id)
        return messages_before(session, access, vault=VAULT)["messages"]

    messages = database.run(talk)
    found = database.run_read(lambda session: notices(session, messages, GROUND.policies))

    assert [notification.payload.get("body") for notification in found] == ["a" * 500, "b" * 499 + "…"]


def test_without_subscriptions_one_statement_finds_nobody(database: Database, household: Household) -> None:
    def talk(session: Session) -> list[MessageView]:
        conversation_id = direct_of(session, household)
        say(session, conversation_id, household.maja, "one", "two")
        access = conversation_for(session, household.emil.user_id, conversation_id)
        return messages_before(session, access, vault=VAULT)["messages"]

    messages = database.run(talk)

    assert count_statements(database, lambda session: notices(session, messages, GROUND.policies)) == 1
