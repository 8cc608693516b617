"""A message, as the server sends it to clients; `docs/protocol.md` describes the fields."""

from typing import Any, TypedDict


class Message(TypedDict):
    """One message of a conversation, with its reactions and attachments as they are now."""

    message_id: str
    conversation_id: str
    seq: int
    user_id: str
    device_id: str
    message_type: str
    body: str | None
    client_id: str | None
    reply_to: str | None
    inserted_at: str
    edited_at: str | None
    deleted_at: str | None
    deleted_by: str | None
    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None
    epoch: int | None
    sender_device_id: str | None
    reactions: list[dict[str, Any]]
    change: int
    attachments: list[dict[str, Any]]


class Sent(TypedDict):
    """The reply to a message: it is on the server's disk."""

    message_id: str
    seq: int
    inserted_at: str
