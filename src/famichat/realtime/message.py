"""What travels on a connection, as frozen values: this is all that the layers of the wire hand to each other.

>>> Message("1", "2", "room:lobby", "new_msg", {"body": "hello"}).event
'new_msg'
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Ref = str | int | None
"""A client's own mark on a frame. Opaque: echoed as it came, type included, so 10 is not "10"."""

Payload = Mapping[str, Any] | bytes
"""A JSON object, or bytes for a binary frame."""


@dataclass(frozen=True, slots=True)
class Message:
    """A frame with all its five parts: what clients send, and how a channel's end is told to them.

    A client may put any JSON where the payload is; whoever takes messages in must look before trusting it.
    """

    join_ref: Ref
    ref: Ref
    topic: str
    event: str
    payload: Any


@dataclass(frozen=True, slots=True)
class ReplyPayload:
    """What a channel answers to one message: "ok", "error", or any other word the two sides agree on."""

    status: str
    response: Payload


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply with the address it goes to."""

    join_ref: Ref
    ref: Ref
    topic: str
    reply: ReplyPayload


@dataclass(frozen=True, slots=True)
class Push:
    """An event from the server for one client."""

    join_ref: Ref
    topic: str
    event: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event for everybody on a topic. It carries no refs, so its bytes are the same for all of them."""

    topic: str
    event: str
    payload: Payload


Outgoing = Message | Reply | Push | Broadcast


def ok(response: Payload | None = None) -> ReplyPayload:
    """Answer that it worked."""
    return ReplyPayload("ok", {} if response is None else response)


def error(response: Payload | str) -> ReplyPayload:
    """Answer that it did not; a bare string becomes `{"reason": ...}`."""
    return ReplyPayload("error", {"reason": response} if isinstance(response, str) else response)
