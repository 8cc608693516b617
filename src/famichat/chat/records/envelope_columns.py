"""How a text that is kept beside a message says it is encrypted: the columns of an envelope, and their rules."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.e2ee.envelope import MAX_EPOCH, Envelope
from famichat.storage.base import Id


class Enveloped:
    """A record with an envelope. Give `envelope_constraints()` to its table."""

    encryption_flag: Mapped[bool]
    encryption_version: Mapped[str | None] = mapped_column(String(32))
    key_id: Mapped[str | None] = mapped_column(String(128))
    protocol: Mapped[str | None] = mapped_column(String(32))
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    sender_device_id: Mapped[str | None] = mapped_column(Id)


def envelope_constraints() -> tuple[CheckConstraint, ...]:
    """Let the database refuse what is said to be encrypted and not how, or is not and says of which making."""
    return (
        CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)", name="encryption"
        ),
        CheckConstraint("protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)", name="protocol"),
        CheckConstraint(f"epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND {MAX_EPOCH})", name="epoch"),
        CheckConstraint("sender_device_id IS NULL OR encryption_flag", name="sender_device"),
    )


def envelope_in(record: Any) -> Envelope:
    """The envelope that a record has: of a message, of one of its former versions, or of a reaction."""
    return Envelope(
        record.encryption_flag,
        record.encryption_version,
        record.key_id,
        record.protocol,
        record.epoch,
        record.sender_device_id,
    )


def envelope_fields(envelope: Envelope) -> dict[str, Any]:
    """An envelope by the names that it has in records and in answers."""
    return asdict(envelope)
