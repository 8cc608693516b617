"""The exact JSON of messages and conversations, compared with `golden.json`.

A difference is a change of the protocol. `python -m tests.chat.test_golden > tests/chat/golden.json` updates the file.
"""

import json
import sys
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from famichat.chat.access import Access
from famichat.chat.conversations.summary import ConversationMember, ConversationSummary
from famichat.chat.conversations.view import _conversation as conversation_view
from famichat.chat.conversations.view_settings import MUTED_INDEFINITELY
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.journal.entry import Attached, Entry, Stored
from famichat.chat.messages.content import seal_text
from famichat.chat.messages.reaction import ReactionRequest
from famichat.chat.messages.row import MessageRow
from famichat.chat.messages.versions import edit_view
from famichat.chat.messages.view import message_view, sent_view
from famichat.chat.records.attachment import Attachment, AttachmentSecrets
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.participant import Participant
from famichat.e2ee.envelope import Envelope
from tests.factories.people import VAULT

GOLDEN = Path(__file__).with_name("golden.json")
POLICIES = EncryptionPolicies({"self": "optional", "direct": "optional", "group": "required", "family": "forbidden"})
MESSAGE, CONVERSATION, USER, DEVICE, FILE = (f"01936d3e-9c1f-7a54-8b53-2b8f1c0d9f{number}" for number in range(10, 15))
SENT = datetime(2026, 11, 23, 5, 31, 0, 1, tzinfo=UTC)
EDITED = datetime(2026, 11, 23, 5, 32, 10, tzinfo=UTC)
MLS = Envelope(
    encryption_flag=True,
    encryption_version="mls10.1",
    key_id="1:42",
    protocol="mls10",
    epoch=7,
    sender_device_id=DEVICE,
)


def as_json(view: object) -> str:
    return json.dumps(view, ensure_ascii=False, indent=1)


def attachment() -> dict[str, object]:
    secrets = AttachmentSecrets(key="a2V5", name="lake.jpg", waveform=(0, 50, 100))
    return {
        "id": FILE,
        "size": 48213,
        "content_type": "image/jpeg",
        "encrypted": False,
        "width": 640,
        "height": 480,
        "thumbnail_bytes": 900,
        "duration_ms": None,
        "sealed": secrets.seal(VAULT, FILE),
    }


def entry(envelope: Envelope) -> Entry:
    return Entry(
        id=MESSAGE,
        conversation_id=CONVERSATION,
        conversation_type="direct",
        user_id=USER,
        device_id=DEVICE,
        message_type="text",
        body=b"",
        client_id="c-1",
        fingerprint=b"f",
        reply_to_id=FILE,
        encryption_flag=envelope.encryption_flag,
        encryption_version=envelope.encryption_version,
        key_id=envelope.key_id,
        protocol=envelope.protocol,
        epoch=envelope.epoch,
        sender_device_id=envelope.sender_device_id,
    )


def record(body: str | None, envelope: Envelope, **fields: object) -> Message:
    stored = None if body is None else seal_text(BODY_PURPOSE, body, envelope, body_aad(MESSAGE, 0), VAULT)
    values: dict[str, object] = {
        "id": MESSAGE,
        "conversation_id": CONVERSATION,
        "seq": 43,
        "user_id": USER,
        "device_id": DEVICE,
        "message_type": "text",
        "body": stored,
        "client_id": "c-1",
        "reply_to_id": FILE,
        "encryption_flag": envelope.encryption_flag,
        "encryption_version": envelope.encryption_version,
        "key_id": envelope.key_id,
        "protocol": envelope.protocol,
        "epoch": envelope.epoch,
        "sender_device_id": envelope.sender_device_id,
        "inserted_at": SENT,
        "edits": 0,
        "change": 0,
    }
    return Message(**values | fields)


def views() -> dict[str, object]:
    plain = Envelope()
    attached = (Attached(**attachment()),)  # type: ignore[arg-type]  # the values are those of the fields
    stored = Stored(MESSAGE, 43, SENT, repeat=False, conversation_type="direct")
    with_a_photo = Stored(MESSAGE, 43, SENT, repeat=False, conversation_type="direct", attachments=attached)
    photo = record("Dinner at six?", plain)
    photo.attachments = [Attachment(**attachment())]
    reactions = [
        ReactionRequest("❤", plain).to_row(MESSAGE, USER, VAULT),
        ReactionRequest("9d_-x", MLS).to_row(MESSAGE, DEVICE, VAULT),
    ]
    broken = ReactionRequest("❤", plain).to_row(MESSAGE, USER, VAULT)
    broken.emoji = b"\x01\x00"
    unreadable = record("hej", plain)
    unreadable.body = b"\x01\x00"
    former = MessageEdit(
        message_id=MESSAGE,
        version=0,
        body=seal_text(BODY_PURPOSE, "Dinner at five?", plain, body_aad(MESSAGE, 0), VAULT),
        encryption_flag=False,
        written_at=SENT,
    )
    return {
        "sent": sent_view(entry(plain), stored, "Dinner at six?", VAULT),
        "sent with a photo": sent_view(entry(plain), with_a_photo, "", VAULT),
        "sent encrypted": sent_view(entry(MLS), stored, "q83v", VAULT),
        "stored": message_view(photo, VAULT),
        "encrypted": message_view(record("q83v", MLS), VAULT),
        "reacted to": message_view(record("hej", plain, change=2), VAULT, reactions),
        "reaction unreadable": message_view(record("hej", plain, change=1), VAULT, [broken]),
        "edited": message_view(record("hej", plain, edited_at=EDITED, change=3), VAULT),
        "deleted": message_view(
            record(None, plain, deleted_at=EDITED, deleted_by_id=USER, change=4, device_id=None, client_id=None), VAULT
        ),
        "unreadable": message_view(unreadable, VAULT),
        "edit": edit_view(former, VAULT),
        "direct conversation": conversation("direct"),
        "group": conversation("group", photo),
    }


def conversation(kind: str, last: Message | None = None) -> object:
    group = kind == "group"
    talk = Conversation(
        id=CONVERSATION,
        type=kind,
        family_id=FILE,
        name="Holiday" if group else None,
        created_at=SENT,
        last_seq=43,
        last_change=7,
        history="joined" if group else None,
        encryption_required=False,
    )
    place = Participant(
        conversation_id=CONVERSATION,
        user_id=USER,
        visible_from_seq=1,
        hidden_at=EDITED if group else None,
        archived_at=None,
        muted_until=MUTED_INDEFINITELY if group else None,
    )
    members = ConversationMember(USER, "admin", hides=group), ConversationMember(DEVICE, "member", hides=False)
    row = None if last is None else MessageRow(*(getattr(last, field.name) for field in fields(MessageRow)))
    summary = ConversationSummary(Access(talk, place, "member"), MESSAGE, members, row, 3, None)
    return conversation_view(summary, POLICIES, {} if last is None else {last.id: message_view(last, VAULT)})


def test_the_json_of_messages_and_conversations_has_not_changed() -> None:
    assert as_json(views()) == GOLDEN.read_text()


if __name__ == "__main__":
    sys.stdout.write(as_json(views()))
