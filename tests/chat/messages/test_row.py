"""Pages are read as plain rows, and equal what the ORM's records would show."""

from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.messages.history import messages_before
from famichat.chat.messages.row import MessageRow
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_views
from famichat.chat.records.message import Message
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household
from tests.factories.talk import DELETE, attach, direct_of, do, edit, react, say

Views = list[MessageView]


def test_a_row_has_every_column_of_a_message_but_the_one_of_unread_counts() -> None:
    columns = {each.key for each in Message.__mapper__.column_attrs}
    assert {each.name for each in fields(MessageRow)} == columns - {"sender_seq"}


def test_a_page_of_rows_equals_the_records(database: Database, household: Household) -> None:
    maja = household.maja

    def fill(session: Session) -> str:
        conversation_id = direct_of(session, household)
        ids = say(session, conversation_id, maja, "plain", "photos", "edited", "deleted", "reacted to")
        for message_id in ids[1:3]:
            attach(session, conversation_id, maja, message_id)
        do(session, maja, conversation_id, ids[2], edit("better"))
        do(session, maja, conversation_id, ids[3], DELETE)
        do(session, household.emil, conversation_id, ids[4], react("👍"))
        secret = {"encryption_flag": True, "encryption_version": "v1", "key_id": "1", "body": b"q83v"}
        say(session, conversation_id, maja, "encrypted", **secret, reply_to_id=ids[0])
        return conversation_id

    conversation_id = database.run(fill)

    def read(session: Session) -> tuple[Views, Views]:
        records = select(Message).where(Message.conversation_id == conversation_id).order_by(Message.seq)
        expected = message_views(session, session.execute(records).scalars().all(), VAULT)
        page = messages_before(session, conversation_for(session, maja.user_id, conversation_id), vault=VAULT)
        return page["messages"], expected

    page, expected = database.run_read(read)

    assert page == expected
    assert [len(each["attachments"]) for each in page] == [0, 1, 1, 0, 0, 0]
