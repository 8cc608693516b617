"""Usernames, and when two of them count as the same.

A name is shown as it was typed, in NFC. Two names count as the same if they fold to the same letters, or if they look
the same: they have the same skeleton (Unicode Technical Standard 39, section 4).

>>> name = parse_username("Märta")
>>> name.shown, name.key == parse_username("MÄRTA").key
('Märta', True)
>>> parse_username("rnaja").key == parse_username("maja").key  # r and n, drawn like an m
True
>>> parse_username("Iarry").look == parse_username("larry").look  # a capital I, a small L
True
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

import orjson

from famichat import typed_text
from famichat.accounts.errors import InvalidUsername
from famichat.typed_text import INVISIBLE

MAX_USERNAME = 32
MAX_FOLDED = 256
_MAX_TYPED = 4 * MAX_USERNAME
_MAX_MARKS_IN_A_ROW = 2
PUNCTUATION = frozenset(" ._-'")
_LETTERS_MARKS_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"})
_SHAPES = {"\N{CYRILLIC SMALL LETTER PALOCHKA}": "l"}
"""Prototypes by shape where Unicode's data follows the dotted form that no font draws."""


@dataclass(frozen=True, slots=True)
class Username:
    """A username: as `shown`, and the two forms that must be unique.

    `key` compares names as they are typed (case does not matter), `look` as they are drawn (a capital I is a small l).
    """

    shown: str
    key: str
    look: str


def parse_username(typed: str) -> Username:
    """Validate a username.

    Raises:
        InvalidUsername: it is empty or too long, contains invisible characters, controls or symbols, or has too many
            marks on one letter.
    """
    if len(typed) > _MAX_TYPED:
        raise InvalidUsername(f"a name must have at most {MAX_USERNAME} characters")
    shown = unicodedata.normalize("NFC", typed.strip(" "))
    if not 1 <= len(shown) <= MAX_USERNAME:
        raise InvalidUsername(f"a name must have 1 to {MAX_USERNAME} characters")
    fault = fault_in(shown)
    if fault is not None:
        raise InvalidUsername(fault)
    name = Username(shown, fold(shown), looks_of(shown))
    if not is_comparable(name.key, name.look):
        raise InvalidUsername("this name is not supported")
    return name


def is_comparable(*forms: str) -> bool:
    """Return whether each folded form of a name is neither empty nor longer than `MAX_FOLDED`."""
    return all(0 < len(form) <= MAX_FOLDED for form in forms)


def fold(name: str) -> str:
    """Return the form that a name is looked up by: compatible characters, case and look-alikes folded. Idempotent."""
    return _settle(typed_text.fold(name))


def looks_of(name: str) -> str:
    """Return the form that a name looks like. Idempotent."""
    # Case first would turn a capital I into i; drawn, it is an l. NFKC first would turn a lunate sigma into a sigma;
    # drawn, it is a c.
    return _settle(_skeleton(unicodedata.normalize("NFKC", _skeleton(name))))


def _settle(name: str) -> str:
    # A skeleton can have capitals (0 looks like O), and case folding can create new look-alikes. Both only shrink the
    # set of characters in use, so a few rounds reach a fixed point.
    before = None
    while name != before:
        before, name = name, typed_text.fold(_skeleton(name))
    return name


def _skeleton(text: str) -> str:
    prototypes = _prototypes()
    drawn = "".join(prototypes.get(char, char) for char in unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", drawn)


def fault_in(shown: str, punctuation: frozenset[str] = PUNCTUATION) -> str | None:
    """Return why the characters of a name are not allowed; None if they are.

    Args:
        shown: the name, in NFC.
        punctuation: the characters allowed besides letters, marks and digits.
    """
    if any(char in INVISIBLE or not (char in punctuation or _is_of_a_name(char)) for char in shown):
        return "a name can only contain letters, digits, spaces and . _ - '"
    if not any(unicodedata.category(char)[0] in "LN" for char in shown) or unicodedata.combining(shown[0]):
        return "a name must contain a letter or a digit and start with a visible character"
    runs = (len(list(run)) for mark, run in groupby(shown, is_mark) if mark)
    if max(runs, default=0) > _MAX_MARKS_IN_A_ROW:
        return f"a letter can have at most {_MAX_MARKS_IN_A_ROW} marks"
    return None


def _is_of_a_name(char: str) -> bool:
    # A letter equivalent to a space and a mark would be compared as these, but looks different.
    return unicodedata.category(char) in _LETTERS_MARKS_DIGITS and " " not in unicodedata.normalize("NFKC", char)


def is_mark(char: str) -> bool:
    """Return whether a character is a combining mark."""
    return unicodedata.category(char).startswith("M")


@cache
def _prototypes() -> dict[str, str]:
    """Return the prototype of each confusable character.

    The library stores the Consortium's arrows (source to prototype) in both directions. A source has one arrow, and a
    prototype is never a source, so the end with more arrows, or more characters, is the prototype. Its module would
    keep the whole table in memory; the result is a small part of it.
    """
    confusables_data = orjson.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_bytes())
    neighbours = {_bare(char): [_bare(other["c"]) for other in others] for char, others in confusables_data.items()}
    return {
        char: target
        for char, others in neighbours.items()
        if len(char) == 1 and (target := _prototype(char, others, neighbours)) != char
    } | _SHAPES


def _prototype(char: str, others: list[str], neighbours: dict[str, list[str]]) -> str:
    longer = [other for other in others if len(other) > 1]
    if longer:
        return longer[0]
    if len(others) != 1 or char.isascii() > others[0].isascii():
        return char
    [other] = others
    return min(char, other) if len(neighbours.get(other, ())) == 1 else other


def _bare(text: str) -> str:
    # Right-to-left characters are wrapped in direction marks.
    return text.strip("\u200e")
