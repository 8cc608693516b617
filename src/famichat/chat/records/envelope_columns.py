"""The columns of an encryption envelope, and their constraints, for the tables of edits and reactions."""

from typing import Annotated, Any, Protocol

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.e2ee.envelope import MAX_EPOCH, Envelope
from famichat.storage.base import Id


class EnvelopeFields(TypedDict):
    """The encryption metadata of a message, an edit or a reaction."""

    encryption_flag: bool
    encryption_version: str | None
    key_id: str | None
    protocol: str | None
    epoch: Annotated[
        int | None, Field(description="The key epoch of the sender's protocol; not the `epoch` of the history.")
    ]
    sender_device_id: str | None


class Enveloped:
    """A mixin that adds the envelope's columns. Add `envelope_constraints()` to the `__table_args__`."""

    encryption_flag: Mapped[bool]
    encryption_version: Mapped[str | None] = mapped_column(String(32))
    key_id: Mapped[str | None] = mapped_column(String(128))
    protocol: Mapped[str | None] = mapped_column(String(32))
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    sender_device_id: Mapped[str | None] = mapped_column(Id)


def envelope_constraints() -> tuple[CheckConstraint, ...]:
    """Return the constraints: ciphertext has a version and a key id, plaintext has no protocol, epoch or device."""
    return (
        CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)", name="encryption"
        ),
        CheckConstraint("protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)", name="protocol"),
        CheckConstraint(f"epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND {MAX_EPOCH})", name="epoch"),
        CheckConstraint("sender_device_id IS NULL OR encryption_flag", name="sender_device"),
    )


def envelope_in(record: Any) -> Envelope:
    """Return the envelope of a message, a former version of a message, or a reaction."""
    return Envelope(
        record.encryption_flag,
        record.encryption_version,
        record.key_id,
        record.protocol,
        record.epoch,
        record.sender_device_id,
    )


class EnvelopeSource(Protocol):
    """Anything that has the columns of an envelope: an `Envelope`, a record, or an entry of the journal."""

    @property
    def encryption_flag(self) -> bool: ...  # noqa: D102 - as in Envelope, and below
    @property
    def encryption_version(self) -> str | None: ...  # noqa: D102
    @property
    def key_id(self) -> str | None: ...  # noqa: D102
    @property
    def protocol(self) -> str | None: ...  # noqa: D102
    @property
    def epoch(self) -> int | None: ...  # noqa: D102
    @property
    def sender_device_id(self) -> str | None: ...  # noqa: D102


def envelope_fields(envelope: EnvelopeSource) -> EnvelopeFields:
    """Return the envelope under the names of its columns, which are also its JSON names."""
    return {
        "encryption_flag": envelope.encryption_flag,
        "encryption_version": envelope.encryption_version,
        "key_id": envelope.key_id,
        "protocol": envelope.protocol,
        "epoch": envelope.epoch,
        "sender_device_id": envelope.sender_device_id,
    }
