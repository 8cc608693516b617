import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.accounts.errors import InvalidUsername
from famichat.accounts.names.username import MAX_USERNAME, Username, fold, parse_username

TWINS = [
    ("maja", "MAJA"),
    ("maja", "m\N{CYRILLIC SMALL LETTER A}ja"),
    ("admin", "\N{CYRILLIC SMALL LETTER A}dmin"),
    ("admin", "\N{CYRILLIC CAPITAL LETTER A}DMIN"),
    ("maja", "rnaja"),
    ("nils", "ni1s"),
    ("nils", "niIs"),
    ("noah", "n0ah"),
    ("maja", "\N{FULLWIDTH LATIN SMALL LETTER M}aja"),
    ("maja", "\N{MATHEMATICAL BOLD SMALL M}aja"),
    ("Åsa", "A\N{COMBINING RING ABOVE}sa"),
    ("o'neill", "o\N{MODIFIER LETTER APOSTROPHE}neill"),
    ("straße", "STRASSE"),
    ("olga", "\N{GREEK SMALL LETTER OMICRON}lga"),
    ("nils", "n\N{LATIN SMALL LETTER DOTLESS I}ls"),
    ("clara", "\N{GREEK LUNATE SIGMA SYMBOL}lara"),
    ("Clara", "\N{GREEK CAPITAL LUNATE SIGMA SYMBOL}lara"),
    ("paul", "pau\N{CYRILLIC SMALL LETTER PALOCHKA}"),
    ("PAUL", "PAU\N{CYRILLIC LETTER PALOCHKA}"),
]
STRANGERS = [("Nina", "Vina"), ("Lev", "Len"), ("Yuri", "Uuri"), ("Åsa", "Asa"), ("maja", "maja2"), ("Per", "Pär")]
UNFIT = {
    "empty": "",
    "blank": "   ",
    "too long": "a" * (MAX_USERNAME + 1),
    "enormous": "a" * 1_000_000,
    "a control": "ma\x07ja",
    "a line break": "maja\nadmin",
    "U+0000": "maja\0",
    "a zero-width space": "ma\N{ZERO WIDTH SPACE}ja",
    "a zero-width joiner": "ma\N{ZERO WIDTH JOINER}ja",
    "a bidi override": "\N{RIGHT-TO-LEFT OVERRIDE}ajam",
    "a bidi isolate": "\N{FIRST STRONG ISOLATE}maja",
    "a soft hyphen": "ma\N{SOFT HYPHEN}ja",
    "a Hangul filler": "maja\N{HANGUL FILLER}",
    "only fillers": "\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}",
    "a blank Braille cell": "maja\N{BRAILLE PATTERN BLANK}",
    "a variation selector": "maja\N{VARIATION SELECTOR-16}",
    "a grapheme joiner": "ma\N{COMBINING GRAPHEME JOINER}ja",
    "a lone surrogate": "maja\ud800",
    "a tag": "maja\U000e0061",
    "private use": "maja\ue000",
    "an unassigned code point": "maja\u0378",
    "a mark and nothing under it": "\N{COMBINING ACUTE ACCENT}maja",
    "three marks in a row": "majx" + "\N{COMBINING ACUTE ACCENT}\N{COMBINING GRAVE ACCENT}\N{COMBINING TILDE}",
    "an address": "maja@example.org",
    "a slash": "maja/admin",
    "a letter that is a blank and a mark": "ma\N{GREEK YPOGEGRAMMENI}ja",
    "a picture": "maja\N{GRINNING FACE}",
    "no letter": "...",
    "what folds to far too much": "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * MAX_USERNAME,
}
names = st.text(st.characters(categories=["L", "M", "Nd"], include_characters=" ._-'"), max_size=MAX_USERNAME)


def same(one: Username, other: Username) -> bool:
    return one.key == other.key or one.look == other.look


@pytest.mark.parametrize(("one", "other"), TWINS)
def test_lookalike_usernames_are_equal(one: str, other: str) -> None:
    assert same(parse_username(one), parse_username(other))


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_different_usernames_are_not_equal(one: str, other: str) -> None:
    assert not same(parse_username(one), parse_username(other))


@pytest.mark.parametrize("name", UNFIT.values(), ids=UNFIT.keys())
def test_a_username_cannot_contain(name: str) -> None:
    with pytest.raises(InvalidUsername):
        parse_username(name)


@pytest.mark.parametrize(
    "name", ["maja", "Åsa-Märta", "Олег", "نيلس", "Ελένη", "ぬこ", "Farmor Inga", "d'Arc", "ไทย", "हिन्दी"]
)
def test_a_name_of_any_language_is_shown_as_it_was_typed(name: str) -> None:
    assert parse_username(f" {name} ").shown == unicodedata.normalize("NFC", name)


@given(st.text(max_size=MAX_USERNAME))
def test_folding_twice_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(names)
def test_a_name_is_refused_or_the_same_as_itself_in_every_form(name: str) -> None:
    try:
        parsed = parse_username(name)
    except InvalidUsername:
        return

    for form in ("NFC", "NFD"):
        assert parse_username(unicodedata.normalize(form, parsed.shown)) == parsed
    assert parsed.key == fold(parsed.shown.upper()) or parsed.shown.upper().casefold() != parsed.shown.casefold()
