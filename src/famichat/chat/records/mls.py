"""The tables of MLS groups: their state as the delivery service (RFC 9750) knows it. None of it is secret."""

from datetime import timedelta

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, delete, exists
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.e2ee.mls_parser import MAX_MLS_BYTES
from famichat.storage.base import Base, Created, Id, PrimaryKey, now

COMMIT_LIFE = timedelta(days=90)
"""How long commits and Welcomes are kept. A device that was away longer joins by an external commit."""
GROUP_ID_BYTES = 32


class MlsGroup(Base):
    """The MLS group of a conversation, which makes the conversation encrypted.

    Attributes:
        generation: counts the MLS groups that the conversation has had, from 0.
        group_id: the MLS group id.
        epoch: the current epoch; NULL after a restore, until the group is created again: an epoch that devices have
            seen must not be used twice.
        since_seq: `last_seq` of the conversation when the epoch began.
        group_info: the GroupInfo of the epoch, for external commits.
    """

    __tablename__ = "mls_groups"
    __table_args__ = (
        CheckConstraint("generation >= 0", name="generation"),
        CheckConstraint("epoch >= 1", name="epoch"),
        CheckConstraint(f"length(group_id) = {GROUP_ID_BYTES}", name="group_id"),
        CheckConstraint(f"length(group_info) <= {MAX_MLS_BYTES}", name="group_info_length"),
    )

    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True
    )
    generation: Mapped[int]
    group_id: Mapped[bytes] = mapped_column(LargeBinary(GROUP_ID_BYTES))
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    since_seq: Mapped[int] = mapped_column(BigInteger)
    group_info: Mapped[bytes] = mapped_column(LargeBinary(MAX_MLS_BYTES))
    created_at: Mapped[Created]


class MlsLeaf(Base):
    """A leaf of the current ratchet tree: a device that can read the current epoch.

    Users and devices are no foreign keys: a deleted device must still count as a former member.
    """

    __tablename__ = "mls_leaves"

    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("mls_groups.conversation_id", ondelete="CASCADE"), primary_key=True
    )
    leaf_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(Id)
    device_id: Mapped[str] = mapped_column(Id)


class MlsCommit(Base):
    """An accepted commit. The primary key decides which of several concurrent commits wins.

    Attributes:
        epoch: the epoch that the commit ends.
        digest: SHA-256 of the commit, by which a repeat is recognized.
        encoded: the MLSMessage.
        since_seq: `last_seq` of the conversation at the commit.
    """

    __tablename__ = "mls_commits"
    __table_args__ = (CheckConstraint(f"length(encoded) <= {MAX_MLS_BYTES}", name="encoded_length"),)

    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True
    )
    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    encoded: Mapped[bytes] = mapped_column(LargeBinary(MAX_MLS_BYTES))
    # No foreign keys: other devices need the commit when its sender is deleted, too.
    user_id: Mapped[str] = mapped_column(Id)
    device_id: Mapped[str] = mapped_column(Id)
    since_seq: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Created] = mapped_column(index=True)


class MlsWelcome(Base):
    """A Welcome for the devices that a commit has added. `epoch` is the one in which they begin."""

    __tablename__ = "mls_welcomes"
    __table_args__ = (CheckConstraint(f"length(body) <= {MAX_MLS_BYTES}", name="body_length"),)

    id: Mapped[PrimaryKey]
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    generation: Mapped[int]
    epoch: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[bytes] = mapped_column(LargeBinary(MAX_MLS_BYTES))
    created_at: Mapped[Created]


class MlsWelcomeDevice(Base):
    """A device that has not confirmed yet that it has received a Welcome."""

    __tablename__ = "mls_welcome_devices"

    welcome_id: Mapped[str] = mapped_column(Id, ForeignKey("mls_welcomes.id", ondelete="CASCADE"), primary_key=True)
    device_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True, index=True
    )


def delete_old_commits(session: Session) -> None:
    """Delete commits after 90 days, and Welcomes that are as old or that all their devices have received."""
    old = now() - COMMIT_LIFE
    session.execute(delete(MlsCommit).where(MlsCommit.created_at < old))
    waiting = exists().where(MlsWelcomeDevice.welcome_id == MlsWelcome.id)
    session.execute(delete(MlsWelcome).where((MlsWelcome.created_at < old) | ~waiting))
