import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.accounts.errors import InvalidDisplayName, InvalidUsername
from famichat.accounts.names.display_name import MAX_DISPLAY_NAME, parse_display_name
from famichat.accounts.names.username import parse_username

FAMILY = "👩\u200d👩\u200d👧"
FIT = [
    "Grandma Åsa 🌻",
    "Mum & Dad",
    "Farmor (Inga)",
    "O\N{RIGHT SINGLE QUOTATION MARK}Neill, Pat",
    "おばあちゃん 🌸",
    "סבתא רחל",
    "جدتي",
    f"We {FAMILY}",
    "Nils 👋🏽",
    "Inga ❤️",
    "Oma 🇩🇪",
    "Lev 2",
]
UNFIT = {
    "empty": "",
    "blank": "   ",
    "too long": "a" * (MAX_DISPLAY_NAME + 1),
    "enormous": "a" * 1_000_000,
    "only a picture": "🌻",
    "a control": "ma\x07ja",
    "a line break": "maja\nadmin",
    "U+0000": "maja\0",
    "a zero-width space": "ma\N{ZERO WIDTH SPACE}ja",
    "a joiner between letters": "ma\N{ZERO WIDTH JOINER}ja",
    "a joiner behind a picture": "maja 🌻\N{ZERO WIDTH JOINER}",
    "a joiner and a letter": "🌻\N{ZERO WIDTH JOINER}maja",
    "a selector on a letter": "maja\N{VARIATION SELECTOR-16}",
    "two selectors": "maja ❤\N{VARIATION SELECTOR-16}\N{VARIATION SELECTOR-16}",
    "a bidi override": "\N{RIGHT-TO-LEFT OVERRIDE}ajam",
    "a bidi isolate": "\N{FIRST STRONG ISOLATE}maja",
    "a mark of direction": "maja\N{RIGHT-TO-LEFT MARK}",
    "a soft hyphen": "ma\N{SOFT HYPHEN}ja",
    "a no-break space": "ma\N{NO-BREAK SPACE}ja",
    "a Hangul filler": "maja\N{HANGUL FILLER}",
    "a lone surrogate": "maja\ud800",
    "tags behind a flag": "maja 🏴\U000e0067\U000e0062\U000e007f",
    "half a flag": "maja \N{REGIONAL INDICATOR SYMBOL LETTER A}",
    "a keycap": "maja 1\N{VARIATION SELECTOR-16}\N{COMBINING ENCLOSING KEYCAP}",
    "private use": "maja\ue000",
    "a mark on a picture": "maja 🌻\N{COMBINING ACUTE ACCENT}",
    "three marks in a row": "majx" + "\N{COMBINING ACUTE ACCENT}\N{COMBINING GRAVE ACCENT}\N{COMBINING TILDE}",
    "an angle bracket": "<maja>",
    "an address": "maja@example.org",
}
LIKE_MAJA = ["Maja", "MAJA 🌻", "🌻 maja", "m\N{CYRILLIC SMALL LETTER A}ja", "rnaja", f"maja {FAMILY}", "  maja  "]
UNLIKE_MAJA = ["Maja S", "Mum", "maja & emil", "maja 🇸🇪", "ma ja"]
signs = st.characters(categories=["L", "M", "Nd", "So"], include_characters=" ._-'&,()!+\u200d\ufe0f🏽🇸🇪🌻")
names = st.text(signs, max_size=MAX_DISPLAY_NAME)


@pytest.mark.parametrize("name", FIT)
def test_a_valid_display_name_is_accepted(name: str) -> None:
    assert parse_display_name(f" {name} ").shown == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("name", UNFIT.values(), ids=UNFIT.keys())
def test_a_display_name_cannot_contain(name: str) -> None:
    with pytest.raises(InvalidDisplayName):
        parse_display_name(name)


@pytest.mark.parametrize("name", LIKE_MAJA)
def test_emoji_and_lookalike_letters_do_not_make_a_different_name(name: str) -> None:
    shown, maja = parse_display_name(name), parse_username("maja")

    assert shown.key == maja.key or shown.look == maja.look


@pytest.mark.parametrize("name", UNLIKE_MAJA)
def test_a_name_with_additional_letters_is_a_different_name(name: str) -> None:
    shown, maja = parse_display_name(name), parse_username("maja")

    assert shown.key != maja.key
    assert shown.look != maja.look


def test_repeated_spaces_are_collapsed() -> None:
    assert parse_display_name("Farmor   Inga") == parse_display_name(" Farmor Inga")


@given(names)
def test_a_name_is_refused_or_the_same_as_itself_in_every_form(name: str) -> None:
    try:
        parsed = parse_display_name(name)
    except InvalidDisplayName:
        return

    for form in ("NFC", "NFD"):
        again = unicodedata.normalize(form, parsed.shown)
        assert len(again) > 4 * MAX_DISPLAY_NAME or parse_display_name(again) == parsed
    assert not set(parsed.shown) & {"\u200b", "\u202e", "\u2066", "\n", "\0"}


@given(names)
def test_every_valid_username_is_a_valid_display_name_with_the_same_key(name: str) -> None:
    try:
        username = parse_username(" ".join(name.split(" ")))
        shown = parse_display_name(username.shown)
    except InvalidUsername:
        return

    assert "  " in username.shown or (shown.key, shown.look) == (username.key, username.look)
