"""Stores a history with one record per line, so that a failed run can be inspected and checked again."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.support.history import Attempt, Entry, History, Member, Read, Received, Record, Resumed, Settled

KINDS: Final = {kind.__name__: kind for kind in (Attempt, Received, Resumed, Settled, Read, Member)}


def write_jsonl(history: History, path: Path) -> None:
    lines = (json.dumps({"kind": type(record).__name__, **asdict(record)}) for record in history.records)
    path.write_text("".join(f"{line}\n" for line in lines))


def read_jsonl(path: Path) -> History:
    return History(tuple(_record(json.loads(line)) for line in path.read_text().splitlines()))


def _record(fields: dict[str, Any]) -> Record:
    kind = KINDS[fields.pop("kind")]
    if "entry" in fields:
        fields["entry"] = Entry(*fields["entry"])
    if "entries" in fields:
        fields["entries"] = tuple(Entry(*entry) for entry in fields["entries"])
    return kind(**fields)
