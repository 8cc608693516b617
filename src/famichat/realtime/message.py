"""The frames of the Phoenix protocol as immutable values, shared by serializer, socket and channels.

>>> Message("1", "2", "room:lobby", "new_msg", {"body": "hello"}).event
'new_msg'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Ref = str | int | None
"""A client's reference of a frame. Opaque: echoed verbatim, type included, so 10 is not "10" (rule 11)."""

Payload = Mapping[str, Any] | bytes
"""A JSON object, or bytes for a binary frame."""


@dataclass(frozen=True, slots=True)
class Message:
    """A frame with all five fields (rule 9): a client's message, or the server's `phx_close` and `phx_error`.

    The payload of a client's message is untrusted and may be any JSON value; check it before use.
    """

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Any


@dataclass(frozen=True, slots=True)
class ReplyPayload:
    """A channel's reply to one message. The status is "ok", "error", or any other word that client and server share."""

    status: str
    response: Payload


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply and the join_ref, ref and topic that identify the message it answers (rule 26)."""

    join_ref: Ref
    ref: Ref
    topic: str
    reply: ReplyPayload


@dataclass(frozen=True, slots=True)
class Push:
    """An event that the server sends to one client (rule 27)."""

    join_ref: Ref
    topic: str
    event: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event for every subscriber of a topic. It has no refs, so all subscribers get the same bytes (rule 28)."""

    topic: str
    event: str
    payload: Payload


Outgoing = Message | Reply | Push | Broadcast


def ok(response: Payload | None = None) -> ReplyPayload:
    """Return a reply with status "ok"; the response is an empty object by default."""
    return ReplyPayload("ok", {} if response is None else response)


def error(response: Payload | str) -> ReplyPayload:
    """Return a reply with status "error"; a string becomes `{"reason": ...}`."""
    return ReplyPayload("error", {"reason": response} if isinstance(response, str) else response)
