import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.e2ee.envelope import ENCRYPTION_VERSION, KEY_ID, MAX_EPOCH, PROTOCOL, Envelope
from famichat.e2ee.errors import EnvelopeError
from famichat.storage.base import new_id

DEVICE = "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f15"
versions = st.from_regex(ENCRYPTION_VERSION, fullmatch=True)
key_ids = st.from_regex(KEY_ID, fullmatch=True)


@given(versions, key_ids)
def test_an_encrypted_message_keeps_its_metadata(version: str, key_id: str) -> None:
    parsed = Envelope.parse({"encryption_flag": True, "encryption_version": version, "key_id": key_id})

    assert parsed == Envelope(encryption_flag=True, encryption_version=version, key_id=key_id)
    assert parsed.status == "enabled"


@given(st.from_regex(PROTOCOL, fullmatch=True), st.integers(0, MAX_EPOCH))
def test_an_encrypted_message_may_say_of_which_protocol_and_epoch_it_is(protocol: str, epoch: int) -> None:
    made = {"protocol": protocol, "epoch": epoch, "sender_device_id": DEVICE}
    parsed = Envelope.parse({"encryption_flag": True, "encryption_version": "v1", "key_id": "k", **made})

    assert {field: getattr(parsed, field) for field in made} == made


@pytest.mark.parametrize(("field", "value"), [("protocol", "mls10"), ("epoch", 0), ("sender_device_id", DEVICE)])
def test_a_plain_message_cannot_have_protocol_fields(field: str, value: object) -> None:
    with pytest.raises(EnvelopeError) as raised:
        Envelope.parse({field: value})

    assert (raised.value.error_code, raised.value.field) == (602, field)


def test_the_sender_device_must_be_the_sending_device() -> None:
    envelope = Envelope(encryption_flag=True, encryption_version="v1", key_id="k", sender_device_id=DEVICE)

    envelope.check_sender(DEVICE)
    Envelope().check_sender(DEVICE)
    with pytest.raises(EnvelopeError) as raised:
        envelope.check_sender(new_id())

    assert (raised.value.error_code, raised.value.field) == (602, "sender_device_id")


@pytest.mark.parametrize("payload", [{}, {"encryption_flag": False}, {"encryption_flag": None}])
def test_a_message_without_the_flag_is_plain(payload: dict[str, object]) -> None:
    assert Envelope.parse(payload) == Envelope()
    assert Envelope.parse(payload).status == "disabled"


def test_version_tag_is_another_name_of_encryption_version() -> None:
    parsed = Envelope.parse({"encryption_flag": True, "version_tag": "v1.0.0", "key_id": "KEY_FAMILY_v1"})

    assert parsed.encryption_version == "v1.0.0"


def test_two_names_that_disagree_are_refused() -> None:
    with pytest.raises(EnvelopeError) as raised:
        Envelope.parse({"encryption_flag": True, "version_tag": "v1", "encryption_version": "v2", "key_id": "k"})

    assert raised.value.error_code == 602


@pytest.mark.parametrize("missing", ["encryption_version", "key_id"])
def test_a_flag_without_its_metadata_is_601_and_names_the_field(missing: str) -> None:
    payload = {"encryption_flag": True, "encryption_version": "v1", "key_id": "k"}
    del payload[missing]

    with pytest.raises(EnvelopeError) as raised:
        Envelope.parse(payload)

    assert (raised.value.error_code, raised.value.field) == (601, missing)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encryption_flag", "true"),
        ("encryption_flag", 1),
        ("encryption_version", ""),
        ("encryption_version", "x" * 33),
        ("encryption_version", "v1\n"),
        ("encryption_version", "v 1"),
        ("encryption_version", 1),
        ("key_id", ""),
        ("key_id", "k" * 129),
        ("key_id", "schlüssel"),
        ("key_id", ["k"]),
        ("version_tag", "a/b"),
        ("protocol", "MLS 1.0"),
        ("protocol", ""),
        ("protocol", "x" * 33),
        ("epoch", -1),
        ("epoch", 2**53 + 1),
        ("epoch", 1.0),
        ("epoch", True),
        ("epoch", "1"),
        ("sender_device_id", "a phone"),
        ("sender_device_id", DEVICE.upper()),
        ("sender_device_id", 1),
    ],
)
def test_malformed_metadata_is_602_and_never_quotes_the_value(field: str, value: object) -> None:
    payload: dict[str, object] = {"encryption_flag": True, "encryption_version": "v1", "key_id": "k", field: value}

    with pytest.raises(EnvelopeError) as raised:
        Envelope.parse(payload)

    assert (raised.value.error_code, raised.value.field) == (602, field)
    assert str(raised.value) == f"invalid_metadata ({field})"


@pytest.mark.parametrize("field", [*(field.name for field in dataclasses.fields(Envelope)), "version_tag"])
def test_no_field_of_the_envelope_is_ignored_when_it_is_the_only_one(field: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        Envelope.parse({"body": "supper", field: object()})

    assert caught.value.field == field
