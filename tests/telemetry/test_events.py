import dataclasses
import inspect

from famichat.telemetry import events
from famichat.telemetry.events import Event

ALL = [kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event) and kind is not Event]
SECRET_WORDS = ("body", "token", "email", "password", "key_id", "encryption_version", "encryption_flag", "secret")


def test_every_event_is_frozen_named_and_documented() -> None:
    for kind in ALL:
        assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
        assert kind.name.startswith("famichat."), kind
        assert kind.__doc__, kind


def test_no_event_has_a_field_for_anything_secret() -> None:
    for kind in ALL:
        for field in dataclasses.fields(kind):
            assert field.name.removesuffix("_bytes") == "body" or not any(
                word in field.name for word in SECRET_WORDS
            ), (kind, field.name)
            if field.name.startswith("body"):
                assert field.type is int, (kind, field.name)


def test_a_refused_join_says_nothing_about_encryption() -> None:
    names = {field.name for field in dataclasses.fields(events.MessageChannelJoinRefused)}

    assert names == {"status", "reason", "user_id", "duration_seconds"}


def test_a_successful_join_says_only_whether_encryption_is_on() -> None:
    names = {field.name for field in dataclasses.fields(events.MessageChannelJoined)}

    assert {name for name in names if "encryption" in name or "key" in name} == {"encryption_status"}
