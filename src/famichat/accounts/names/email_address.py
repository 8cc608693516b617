"""E-mail addresses, and when two of them count as the same."""

import re
import unicodedata
from dataclasses import dataclass

from famichat import typed_text
from famichat.accounts.errors import InvalidEmail

MAX_EMAIL = 254  # RFC 5321, 4.5.3.1.3, with RFC Errata 1690
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDRESS = re.compile(rf"[^\s@<>()\[\]\\,;:\"]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")


@dataclass(frozen=True, slots=True)
class Email:
    """An address: as it was `written`, and the case-folded `key` that must be unique."""

    written: str
    key: str


def parse_email(typed: str) -> Email:
    """Validate an address. Only a message sent to it can prove that it exists.

    Raises:
        InvalidEmail: it does not have the form `name@example.org`.
    """
    if len(typed) > MAX_EMAIL:
        raise InvalidEmail
    written = unicodedata.normalize("NFC", typed.strip())
    key = fold(written)
    if not _ADDRESS.fullmatch(written) or ".." in written or not _is_plain(written) or not _ADDRESS.fullmatch(key):
        raise InvalidEmail
    return Email(written, key)


def fold(address: str) -> str:
    """Return the form that an address is looked up by: case folded, the domain in Unicode and not in Punycode."""
    local, at, domain = typed_text.fold(address).rpartition("@")
    return typed_text.fold(f"{local}{at}{typed_text.unicode_host(domain)}")


def _is_plain(address: str) -> bool:
    return not any(unicodedata.category(char)[0] == "C" for char in address)
