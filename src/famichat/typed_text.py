"""Compares text that people type on different keyboards, and addresses that programs write in different forms.

>>> password_form("Gru\u0308\u00dfe") == password_form("Gr\u00fc\u00dfe")
True
>>> ascii_host("Familie-M\u00fcller.example")
'xn--familie-mller-4ob.example'
>>> has_visible_text("\u200b\u2060"), has_visible_text("\u200ba")
(False, True)
>>> emoji_form("\u2764\ufe0f") == emoji_form("\u2764")
True
>>> ip_of("[2001:db8::1]:443"), ip_of("203.0.113.9:5123")
(IPv6Address('2001:db8::1'), IPv4Address('203.0.113.9'))
"""

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address

import idna

_PRESENTATION_SELECTORS = str.maketrans("", "", "\ufe0e\ufe0f")
# Letters, marks and symbols that are drawn as nothing (Default_Ignorable_Code_Point, which Python's tables lack, and
# the empty Braille cell). Format characters and controls are recognized by their category.
INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
# Not all of C: an emoji that is newer than Python's tables counts as unassigned (Cn).
_NOT_DRAWN = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_WITH_PORT = re.compile(r"\[(?P<ipv6>[^\]]+)\](?::\d{1,5})?|(?P<ipv4>[\d.]+):\d{1,5}")


def fold(text: str) -> str:
    """Return the form in which names are compared: compatible characters and case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def password_form(password: str) -> str:
    """Return the form in which a password is hashed: the mappings of the OpaqueString profile (RFC 8265, 4.2.2).

    Spaces of other scripts become ASCII spaces, and the text is in NFC. Case and width are kept. The profile's list of
    forbidden characters is not applied: it changes with the Unicode version, and excludes joined emoji.
    """
    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced)


def code_form(code: str) -> str:
    """Return the form in which a setup code is compared: width, case and surrounding spaces do not matter."""
    return unicodedata.normalize("NFKC", code).strip().upper()


def emoji_form(emoji: str) -> str:
    """Return the form in which emoji are compared: without presentation selectors (UTS #51, 2.4)."""
    return emoji.translate(_PRESENTATION_SELECTORS)


def has_visible_text(text: str) -> bool:
    """Return whether a text contains a character that is drawn: not only spaces, controls and format characters."""
    return any(unicodedata.category(char) not in _NOT_DRAWN and char not in INVISIBLE for char in text)


def ascii_host(host: str) -> str:
    """Return a host name as browsers send it: in lower case and in Punycode (UTS #46, nontransitional).

    Raises:
        ValueError: it is not a valid international domain name.
    """
    if host.isascii():
        return host.lower()
    return idna.encode(host, uts46=True).decode()


def unicode_host(host: str) -> str:
    """Return a host name with its Punycode labels decoded; labels that are not valid Punycode are kept."""
    return ".".join(map(_unicode_label, host.split(".")))


def ip_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address in a text, which may have a port; None if there is none.

    An IPv6 address with a port is in brackets (RFC 3986, 3.2.2). An IPv4-mapped address is returned as IPv4.
    """
    with_port = _WITH_PORT.fullmatch(host)
    try:
        address = ip_address(host if with_port is None else with_port["ipv6"] or with_port["ipv4"])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _unicode_label(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return idna.decode(label)
    except idna.IDNAError:
        return label
