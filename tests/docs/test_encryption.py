"""The server's parser handles every payload of docs/encryption.md, and the lists of the page are complete."""

import json
import re
from pathlib import Path

import pytest

import famichat.app.server  # noqa: F401 - imports every model
from famichat.chat.errors import InvalidEncryptionMetadata
from famichat.chat.messages.send import Draft
from famichat.storage.crypto.sealed_columns import sealed_columns

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "encryption.md").read_text()
BLOCKS = re.findall(r"^```json(?: refused (\d+) (\w+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", [text for code, _, text in BLOCKS if not code])
def test_a_payload_on_the_page_is_parsed_completely(example: str) -> None:
    payload = json.loads(example)
    draft = Draft.parse(payload)
    sent = {"encryption_version": payload.pop("version_tag", None), **payload}

    assert draft.envelope.status == "enabled"
    for field, value in sent.items():
        assert value == getattr(draft, field, ...) or value == getattr(draft.envelope, field), field


@pytest.mark.parametrize(("code", "field", "example"), [block for block in BLOCKS if block[0]])
def test_a_payload_that_the_page_calls_invalid_is_refused_with_that_error(code: str, field: str, example: str) -> None:
    with pytest.raises(InvalidEncryptionMetadata) as raised:
        Draft.parse(json.loads(example))

    assert raised.value.details == {"error_code": int(code), "field": field}


def test_the_page_has_examples_of_both_kinds_and_is_linked() -> None:
    root = DOCS.parent
    places = [root / "README.md", root / "SECURITY.md", DOCS / "protocol.md", DOCS / "errors.md"]

    assert len([block for block in BLOCKS if block[0]]) >= 4
    assert len([block for block in BLOCKS if not block[0]]) >= 3
    assert [place.name for place in places if "encryption.md" not in place.read_text()] == []


def test_the_page_lists_everything_that_is_sealed() -> None:
    listed = re.findall(r"^\| `(\w+\.\w+)`", PAGE, re.MULTILINE)

    assert set(listed) == {str(column) for column in sealed_columns()}
