"""Display names: optional names that other people see instead of the username.

A display name can contain the characters of a username, and emoji. Emoji do not distinguish names: "Maja" with a flower
counts as the same name as "Maja".

>>> name = parse_display_name("Grandma  Åsa 🌻")
>>> name.shown, name.key == parse_display_name("GRANDMA ÅSA").key
('Grandma Åsa 🌻', True)
>>> parse_display_name("Opa 🇩🇪").key
'opa de'
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from famichat.accounts.errors import InvalidDisplayName
from famichat.accounts.names.username import PUNCTUATION, fault_in, fold, is_comparable, is_mark, looks_of

MAX_DISPLAY_NAME = 48
_MAX_TYPED = 4 * MAX_DISPLAY_NAME
_PUNCTUATION = PUNCTUATION | frozenset("&,()!+\N{RIGHT SINGLE QUOTATION MARK}")

# The blocks of emoji, without the brackets and circled digits among them. An emoji can have a skin tone, and several
# can be joined into one: the joiner and the variation selector are allowed nowhere else.
_ONE = "[\u2600-\u2767\u2794-\u27bf\u2b50\u2b55\U0001f300-\U0001f6ff\U0001f7e0-\U0001f7eb\U0001f900-\U0001faff]"
_TONED = f"{_ONE}\ufe0f?[\U0001f3fb-\U0001f3ff]?"
_PICTURE = re.compile(f"{_TONED}(?:\u200d{_TONED})*")
# A flag is two regional indicator letters, which some systems display as letters.
_FLAG = re.compile("([\U0001f1e6-\U0001f1ff])([\U0001f1e6-\U0001f1ff])")
_FLAG_A = 0x1F1E6


@dataclass(frozen=True, slots=True)
class DisplayName:
    """A display name: as `shown`, and the two forms by which it is compared, as in `Username`."""

    shown: str
    key: str
    look: str


def parse_display_name(typed: str) -> DisplayName:
    """Validate a display name.

    Raises:
        InvalidDisplayName: it is empty or too long, has neither a letter nor a digit, or contains characters that are
            invisible or change the display of others.
    """
    if len(typed) > _MAX_TYPED:
        raise InvalidDisplayName(f"a name must have at most {MAX_DISPLAY_NAME} characters")
    shown = _spaced(unicodedata.normalize("NFC", typed))
    if not 1 <= len(shown) <= MAX_DISPLAY_NAME:
        raise InvalidDisplayName(f"a name must have 1 to {MAX_DISPLAY_NAME} characters")
    bare = _without_pictures(shown)
    fault = fault_in(bare, _PUNCTUATION) if bare else "a name must contain a letter or a digit"
    if fault is not None:
        raise InvalidDisplayName(fault)
    name = DisplayName(shown, fold(bare), looks_of(bare))
    if not is_comparable(name.key, name.look):
        raise InvalidDisplayName("this name is not supported")
    return name


def _without_pictures(shown: str) -> str:
    bare = _PICTURE.sub(" ", _FLAG.sub(_letters, shown))
    if any(before == " " and is_mark(char) for before, char in pairwise(bare)):
        raise InvalidDisplayName("a combining mark must follow a letter")
    return _spaced(bare)


def _letters(flag: re.Match[str]) -> str:
    return f" {''.join(chr(ord(letter) - _FLAG_A + ord('a')) for letter in flag.groups())} "


def _spaced(name: str) -> str:
    return re.sub(" +", " ", name).strip(" ")
