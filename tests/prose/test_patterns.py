"""The patterns: what counts as the old dialect, and what is ordinary English."""

from pathlib import Path

import pytest

from tests.prose.patterns import Hit, Passage, measure


def hits(text: str) -> tuple[Hit, ...]:
    return measure([Passage(Path("a.py"), 10, text)]).hits


@pytest.mark.parametrize(
    "text",
    [
        "Somebody says to be this person.",
        "Nobody has the account.",
        "It is removed for everybody.",
        "Whoever changes who takes part in one calls this first.",
        "Whosoever asks is refused.",
        "somebody's device",
    ],
)
def test_archaic_pronouns_count(text: str) -> None:
    assert [hit.kind for hit in hits(text)] == ["pronouns"]


@pytest.mark.parametrize(
    "text",
    [
        "Store what is said in a conversation.",
        "Returns what it has.",
        "Keeps what was given.",
        "The device forgets what has been kept.",
        "All faults are told together.",
        "Take the pictures anew.",
        "It is gone for ever.",
        "Run it in earnest.",
        "A member who was put out hears nothing.",
        "3 put away",
        "Leave the line if it is there already.",
        "The colour is chosen by itself.",
        "Be here no more.",
        "This invitation is not valid any more.",
        "Answer as asked.",
        "Take back an invitation.",
        "It runs in a process of its own.",
        "Looked after by an admin.",
        "Nothing came of the passkey.",
        "what\n    is said",
        "Go where one is needed; show what one may do.",
    ],
)
def test_phrases_of_the_old_dialect_count(text: str) -> None:
    assert "phrases" in {hit.kind for hit in hits(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Unverified sign-in attempt. `user_id` is None if the account does not exist.",
        "Sends Web Push notifications to devices that were offline when a message was committed.",
        "Lock the conversation rows until commit. Call before changing membership.",
        "Return the user's role. Raises NotFound if the user is not a member.",
        "What is Famichat?",
        "What happens when the database is down",
        "Comments say what the code does not.",
        "Someone else has this name. No one can be added. Everyone in the family can read it.",
        "Anyone who has the link can join.",
        "No more than 10 retries; it does not accept any more than 5 files.",
        "The response has no body.",
        "There are no more pages to fetch.",
        "Only one of them is open. When one of the nodes fails, the others continue.",
        "The method is called with the lock held, and the client is asked to retry.",
        "This server already exists.",
        "It takes ownership of the socket, puts it into the pool and takes a snapshot.",
        "The proxy counts as one address, where one client uses it.",
        "The two members cannot be told apart.",
        "As said above, the cursor is opaque.",
        "Everything queued at that moment is committed in one transaction.",
    ],
)
def test_ordinary_english_does_not(text: str) -> None:
    assert hits(text) == ()


def test_the_rate_is_per_thousand_words() -> None:
    figures = measure([Passage(Path("a.py"), 1, "somebody " + "word " * 99), Passage(Path("b.py"), 1, "word " * 100)])

    assert figures.words == 200
    assert figures.rate("pronouns") == pytest.approx(5)
    assert figures.rate("phrases") == 0


def test_a_text_without_words_has_no_rate() -> None:
    assert measure([]).rate("phrases") == 0


def test_a_hit_names_its_line() -> None:
    assert hits("First.\n\n  Then nobody.") == (Hit(Path("a.py"), 12, "pronouns", "nobody", "Then nobody."),)
