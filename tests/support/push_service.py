"""A push service for tests, and a subscribing browser: verifies the sender and decrypts the payload.

It decrypts by RFC 8291 and checks VAPID by RFC 8292 with nothing but primitives, so that it judges our own code.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Browser:
    """The push subscription of one browser, with its keys."""

    endpoint: str
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    auth: bytes = b"a secret of 16 b"

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def subscription(self) -> dict[str, Any]:
        keys = {"p256dh": b64(self.point), "auth": b64(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> Any:
        """RFC 8188, section 2.1, and RFC 8291, section 3.4."""
        salt, length = body[:16], body[20]
        sender = body[21 : 21 + length]
        shared = self.key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))
        ikm = HKDF(SHA256(), 32, self.auth, b"WebPush: info\0" + self.point + sender).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(ikm)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(ikm)
        padded = AESGCM(key).decrypt(nonce, body[21 + length :], None).rstrip(b"\0")
        assert padded[-1:] == b"\x02"
        return json.loads(padded[:-1])


SLOW = "slow"


class PushService:
    """Receives notifications; responds with the statuses in `answers`, then 201.

    To browsers whose name begins with `SLOW`, it responds only after `answer_slow` is set.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[str] = []
        self.answer_slow = asyncio.Event()

    def browser(self, name: str) -> Browser:
        return Browser(f"{self.url}/{name}")

    async def rung(self, count: int = 1) -> None:
        """Wait until this many requests have arrived."""
        async with asyncio.timeout(15):
            while len(self.requests) < count:  # noqa: ASYNC110 - a count, not one event
                await asyncio.sleep(0.02)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((head[0].split(" ")[1], headers, body))
        if self.requests[-1][0].startswith(f"/{SLOW}"):
            await self.answer_slow.wait()
        answer = self.answers.pop(0) if self.answers else "201 Created"
        writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    service = PushService()
    server = await asyncio.start_server(service.handle, "127.0.0.1", 0)
    async with server:
        service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield service


def verified(authorization: str) -> tuple[dict[str, Any], str]:
    """Verify a VAPID header; return its claims and the public key."""
    scheme, _, rest = authorization.partition(" ")
    fields = dict(part.split("=", 1) for part in rest.split(", "))
    signed, _, signature = fields["t"].rpartition(".")
    raw = unb64(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), unb64(fields["k"]))
    key.verify(der, signed.encode(), ECDSA(SHA256()))
    assert scheme == "vapid"
    claims: dict[str, Any] = json.loads(unb64(signed.split(".")[1]))
    return claims, fields["k"]
