"""The serializers of the Phoenix protocol: versions (`vsn`) 1.0.0 and 2.0.0.

A version 2 frame is an array, a version 1 frame an object; only version 2 has binary frames.

    >>> V2.encode(Broadcast("room:1", "new_msg", {"body": "hi"})).data
    b'[null,null,"room:1","new_msg",{"body":"hi"}]'
"""

import re
import struct
from dataclasses import dataclass
from typing import Any, Final, Protocol

from famichat.realtime import strict_json
from famichat.realtime.message import Broadcast, Message, Outgoing, Payload, Push, Ref, Reply, ReplyPayload

_V1_VERSION = re.compile(r"1\.0\.(0|[1-9][0-9]*)")
_V2_VERSION = re.compile(r"2\.0\.(0|[1-9][0-9]*)")
_MAX_FIELD = 255
_PUSH, _REPLY, _BROADCAST = 0, 1, 2
_FIELDS_IN_A_FRAME = 5


class MalformedFrameError(ValueError):
    """A client sent a malformed frame. `args[0]` is the reason and quotes nothing of the frame."""


class BinaryUnsupportedError(ValueError):
    """A binary payload cannot be sent in the client's serializer version (rule 17)."""


class FieldTooLongError(ValueError):
    """A topic, event, ref or status is longer than the 255 bytes that a binary frame allows (rule 15)."""


@dataclass(slots=True, eq=False)
class Encoded:
    """An encoded frame, shared by all clients that receive it.

    Attributes:
        data: the frame.
        binary: whether it is a binary frame.
        websocket_frame: `data` with its WebSocket frame header. The first client's transport sets it for all.
    """

    data: bytes
    binary: bool = False
    websocket_frame: bytes | None = None


class Serializer(Protocol):
    """A serializer version."""

    version: str
    closes_duplicates: bool
    """Whether a client gets `phx_close` for the channel that its duplicate join replaced (rule 23)."""

    def decode(self, data: bytes, *, binary: bool) -> Message:
        """Decode a frame; raises MalformedFrameError."""
        ...

    def encode(self, frame: Outgoing) -> Encoded:
        """Encode a frame; raises BinaryUnsupportedError or FieldTooLongError."""
        ...


def negotiate(vsn: str | None) -> Serializer | None:
    """Return the serializer for a `vsn` parameter, or None if it is unknown. Absent means 1.0.0 (rule 3)."""
    if vsn is None or _V1_VERSION.fullmatch(vsn):
        return V1
    return V2 if _V2_VERSION.fullmatch(vsn) else None


class _V2:
    version = "2.0.0"
    closes_duplicates = True

    def decode(self, data: bytes, *, binary: bool) -> Message:
        return _decode_binary(data) if binary else self._decode_text(data)

    def encode(self, frame: Outgoing) -> Encoded:
        match frame:
            case Reply(reply=ReplyPayload(response=bytes() as data)):
                return _binary(frame, data)
            case Push(payload=bytes() as data) | Broadcast(payload=bytes() as data):
                return _binary(frame, data)
        return _text(_v2_array(frame))

    def _decode_text(self, data: bytes) -> Message:
        match _loads(data):
            case [join_ref, ref, topic, event, payload, *_]:
                return _message(join_ref, ref, topic, event, payload)
        raise MalformedFrameError(f"a frame is an array of {_FIELDS_IN_A_FRAME}")


class _V1:
    version = "1.0.0"
    # Its clients cannot distinguish the old channel's phx_close from the new one's, and would drop the new channel.
    closes_duplicates = False

    def decode(self, data: bytes, *, binary: bool) -> Message:
        if binary:
            raise MalformedFrameError("version 1 has no binary frames")
        match _loads(data):
            case {"topic": topic, "event": event, "payload": payload, "ref": ref, **rest}:
                return _message(rest.get("join_ref"), ref, topic, event, payload)
        raise MalformedFrameError("a frame is an object with topic, event, payload and ref")

    def encode(self, frame: Outgoing) -> Encoded:
        match frame:
            case Reply(_, ref, topic, reply):
                payload = {"status": reply.status, "response": _no_bytes(reply.response)}
                return _text({"topic": topic, "event": "phx_reply", "payload": payload, "ref": ref})
            case Message(_, ref, topic, event, payload):
                return _text({"topic": topic, "event": event, "payload": _no_bytes(payload), "ref": ref})
            case Push(_, topic, event, payload) | Broadcast(topic, event, payload):
                return _text({"topic": topic, "event": event, "payload": _no_bytes(payload), "ref": None})


V1: Final = _V1()
V2: Final = _V2()


def _text(frame: Any) -> Encoded:
    return Encoded(strict_json.dumps(frame))


def _object(payload: Payload) -> Payload:
    # Swift, Kotlin and Dart clients fail on any other JSON (rule 10), so the error is raised in the sender's channel.
    if not isinstance(payload, dict):
        raise TypeError("a payload from the server is a JSON object or bytes")
    return payload


def _no_bytes(payload: Payload) -> Payload:
    if isinstance(payload, bytes):
        raise BinaryUnsupportedError("version 1 has no binary frames")
    return _object(payload)


def _loads(data: bytes) -> Any:
    try:
        return strict_json.loads(data)
    except strict_json.InvalidJSON as fault:
        raise MalformedFrameError(fault.reason) from None


def _message(join_ref: Any, ref: Any, topic: Any, event: Any, payload: Any) -> Message:
    if not (_is_ref(join_ref) and _is_ref(ref)):
        raise MalformedFrameError("a ref is a string, an integer or null")
    if not (isinstance(topic, str) and isinstance(event, str)):
        raise MalformedFrameError("a topic and an event are strings")
    return Message(join_ref, ref, topic, event, payload)


def _is_ref(value: Any) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _v2_array(frame: Outgoing) -> tuple[Any, ...]:
    match frame:
        case Reply(join_ref, ref, topic, reply):
            return (join_ref, ref, topic, "phx_reply", {"status": reply.status, "response": reply.response})
        case Push(join_ref, topic, event, payload):
            return (join_ref, None, topic, event, _object(payload))
        case Broadcast(topic, event, payload):
            return (None, None, topic, event, _object(payload))
        case Message(join_ref, ref, topic, event, payload):
            return (join_ref, ref, topic, event, _object(payload))


def _binary(frame: Reply | Push | Broadcast, data: bytes) -> Encoded:
    kind, *fields = _binary_header(frame)
    # Null has size 0; sizes count bytes of UTF-8, not characters.
    encoded = [b"" if field is None else str(field).encode() for field in fields]
    if any(len(field) > _MAX_FIELD for field in encoded):
        raise FieldTooLongError(f"a field of a binary frame is at most {_MAX_FIELD} bytes")
    return Encoded(b"".join((bytes((kind, *map(len, encoded))), *encoded, data)), binary=True)


def _binary_header(frame: Reply | Push | Broadcast) -> tuple[int, *tuple[Ref, ...]]:
    match frame:
        case Reply(join_ref, ref, topic, reply):
            return _REPLY, join_ref, ref, topic, reply.status
        case Push(join_ref, topic, event):
            return _PUSH, join_ref, topic, event
        case Broadcast(topic, event):
            return _BROADCAST, topic, event


def _decode_binary(data: bytes) -> Message:
    try:
        kind, *sizes = struct.unpack_from("5B", data)
    except struct.error:
        raise MalformedFrameError("a binary frame starts with five sizes") from None
    if kind != _PUSH:
        raise MalformedFrameError("a client sends binary pushes only")
    fields, start = [], 5
    for size in sizes:
        fields.append(data[start : start + size])
        start += size
    if start > len(data):
        raise MalformedFrameError("a binary frame is shorter than its sizes say")
    join_ref, ref, topic, event = map(_field, fields)
    return Message(join_ref or None, ref or None, topic, event, data[start:])


def _field(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise MalformedFrameError("a field of a binary frame is UTF-8") from None
    if "\0" in text:
        raise MalformedFrameError("U+0000 in a field")
    return text
