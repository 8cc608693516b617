"""Binary values in JSON: base64url without padding (RFC 4648, section 5)."""

import base64
import binascii
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from famichat.e2ee.key_share import MAX_KEY_SHARE_BYTES
from famichat.e2ee.mls_parser import MAX_KEY_PACKAGE_BYTES, MAX_MLS_BYTES
from famichat.e2ee.signature import KEY_BYTES, SIGNATURE_BYTES

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def decode(text: object) -> bytes:
    """Decode base64url without padding. Bytes, of which responses are built, stay as they are.

    Raises:
        ValueError: it is anything else, also if unused bits are set.
    """
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str) or not _ALPHABET.fullmatch(text):
        raise ValueError("must be base64url without padding")
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("must be base64url without padding") from None
    if encode(decoded) != text:  # one value has one form
        raise ValueError("must be base64url without padding")
    return decoded


def encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _schema(min_bytes: int, max_bytes: int) -> WithJsonSchema:
    length = {"minLength": (min_bytes * 4 + 2) // 3, "maxLength": (max_bytes * 4 + 2) // 3}
    return WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]*$", **length})


Key = Annotated[
    bytes,
    Field(min_length=KEY_BYTES, max_length=KEY_BYTES),
    BeforeValidator(decode),
    PlainSerializer(encode),
    _schema(KEY_BYTES, KEY_BYTES),
]
"""An Ed25519 or X25519 public key."""

Signature = Annotated[
    bytes,
    Field(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES),
    BeforeValidator(decode),
    PlainSerializer(encode),
    _schema(SIGNATURE_BYTES, SIGNATURE_BYTES),
]
"""An Ed25519 signature."""

EncodedKeyPackage = Annotated[
    bytes,
    Field(min_length=1, max_length=MAX_KEY_PACKAGE_BYTES),
    BeforeValidator(decode),
    PlainSerializer(encode),
    _schema(1, MAX_KEY_PACKAGE_BYTES),
]
"""An MLSMessage with a key package."""

MlsMessage = Annotated[
    bytes,
    Field(min_length=1, max_length=MAX_MLS_BYTES),
    BeforeValidator(decode),
    PlainSerializer(encode),
    _schema(1, MAX_MLS_BYTES),
]
"""An MLSMessage with a commit, Welcome or GroupInfo."""

KeyShareCiphertext = Annotated[
    bytes,
    Field(min_length=1, max_length=MAX_KEY_SHARE_BYTES),
    BeforeValidator(decode),
    PlainSerializer(encode),
    _schema(1, MAX_KEY_SHARE_BYTES),
]
"""HPKE ciphertext of a key share."""
