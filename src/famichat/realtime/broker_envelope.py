"""Seals the messages between nodes: AES-256-GCM with a key per sender, which only nodes of the same deployment derive.

A sealed message is binary, integers are big-endian:

| bytes | content |
|---|---|
| 1 | version, 1 |
| 8 | sender, a random id of the process |
| 8 | counter of the sender, also the nonce |
| 8 | when it was sent, Unix time in milliseconds |
| 2, 2 | index of this part, number of parts |
| ... | ciphertext, then the tag of 16 bytes; the associated data are all bytes before |

Each process has its own id and therefore its own key, so a nonce never repeats. The counter and the time keep a sealed
message from having an effect twice.
"""

import secrets
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_AGE_SECONDS = 60.0
"""The clocks of the nodes may differ by this, less the time that a message takes."""

_VERSION = 1
_HEADER = struct.Struct(">B8sQQHH")
_SENDER_BYTES, _KEY_BYTES, _TAG_BYTES = 8, 32, 16
_MAX_SENDERS = 1024


class MessageDropped(Exception):
    """A broker message that must have no effect.

    Args:
        reason: "malformed", "forged", "old" or "repeated".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """An authentic message.

    Attributes:
        sender: the id of the process that sent it.
        body: the content; None if further parts of it follow.
    """

    sender: bytes
    body: bytes | None


@dataclass(slots=True)
class _Sender:
    cipher: AESGCM
    counter: int
    parts: list[bytes]


class BrokerEnvelope:
    """Seals the messages of this process, and opens those of all processes of the deployment.

    Args:
        secret: the secret key that all nodes of the deployment share.
        namespace: identifies the deployment. A copy of its data, which has the same secret, has another one.
    """

    def __init__(self, secret: str, namespace: str) -> None:
        self._secret = secret.encode()
        self._info = b"famichat broker v1 " + namespace.encode()
        self.sender = secrets.token_bytes(_SENDER_BYTES)
        self._cipher = self._cipher_of(self.sender)
        self._counter = 0
        self._senders: OrderedDict[bytes, _Sender] = OrderedDict()

    def seal(self, body: bytes, max_bytes: int) -> list[bytes]:
        """Return a body as sealed messages of at most `max_bytes` each, to be sent in this order."""
        size = max_bytes - _HEADER.size - _TAG_BYTES
        pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        return [self._seal(piece, index, len(pieces)) for index, piece in enumerate(pieces)]

    def open(self, data: bytes) -> OpenedMessage:
        """Check a sealed message and open it.

        Raises:
            MessageDropped: it is not from a node of this deployment, too old, or a repetition.
        """
        if len(data) < _HEADER.size + _TAG_BYTES or data[0] != _VERSION:
            raise MessageDropped("malformed")
        header = data[: _HEADER.size]
        _, sender, counter, sent_ms, part, parts = _HEADER.unpack(header)
        known = self._senders.get(sender) or _Sender(self._cipher_of(sender), 0, [])
        try:
            body = known.cipher.decrypt(_nonce(counter), data[_HEADER.size :], header)
        except InvalidTag as error:
            raise MessageDropped("forged") from error
        if abs(time.time() - sent_ms / 1000) > MAX_AGE_SECONDS:
            raise MessageDropped("old")
        if counter <= known.counter:
            raise MessageDropped("repeated")
        known.counter = counter
        self._remember(sender, known)
        return OpenedMessage(sender, _joined(known, body, part, parts))

    def _remember(self, sender: bytes, known: _Sender) -> None:
        # Only authentic messages come here, so a stranger cannot displace the known senders.
        self._senders[sender] = known
        self._senders.move_to_end(sender)
        if len(self._senders) > _MAX_SENDERS:
            self._senders.popitem(last=False)

    def _seal(self, piece: bytes, index: int, count: int) -> bytes:
        self._counter += 1
        header = _HEADER.pack(_VERSION, self.sender, self._counter, int(time.time() * 1000), index, count)
        return header + self._cipher.encrypt(_nonce(self._counter), piece, header)

    def _cipher_of(self, sender: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=sender, info=self._info).derive(self._secret))


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


def _joined(known: _Sender, piece: bytes, index: int, count: int) -> bytes | None:
    """Return the body when its last part arrives. If a part was lost, the others are dropped."""
    if index == 0:
        known.parts = []
    if len(known.parts) != index:
        return None
    known.parts.append(piece)
    if index + 1 < count:
        return None
    body = b"".join(known.parts)
    known.parts = []
    return body
