"""docs/telemetry.md lists exactly the events that the code emits."""

import dataclasses
import re
from pathlib import Path

from famichat.telemetry import events
from famichat.telemetry.events import Event

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()


def test_the_page_lists_every_event_with_its_level_and_its_fields() -> None:
    listed = {
        (name, level, tuple(re.findall(r"`(\w+)`", fields)))
        for name, level, fields in re.findall(r"^\| `(famichat\.[\w.]+)` \| (\w+) \| (.+?) \|", PAGE, re.MULTILINE)
    }
    declared = {
        (kind.name, kind.level, tuple(field.name for field in dataclasses.fields(kind)))
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
    }

    assert listed == declared
