"""Removes access again that was removed after a backup, when that backup is restored.

    replaced = replaced_data(old_database)
    restore(stream, place, lost_access=replaced.to_json())
    removed = remove_noted(database, data_dir)

A restore brings everything back that the backup contains, also the device of a thief that was signed out since. The
database that is replaced lists it for 30 days (`storage.access_removal`), and says who belongs to which family now.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, Self

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, revoke_device
from famichat.accounts.user import User
from famichat.chat.account_deletion import delete_account_by_operator
from famichat.chat.errors import LastAdmin
from famichat.chat.families.family import shown_name
from famichat.chat.families.membership import remove_member_by_operator
from famichat.chat.groups.membership import remove_from_groups, remove_participant
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.participant import Participant
from famichat.storage.access_removal import RemovedAccess
from famichat.storage.base import rfc3339
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database

_Kind = Literal["user", "family", "conversation", "device"]


@dataclass(frozen=True, slots=True)
class LostAccess:
    """Access that was removed: a row of `removed_access`.

    Attributes:
        kind: what `id` names.
        user_id: who lost it.
        id: the account, the conversation or the device.
        removed_at: when.
    """

    kind: _Kind
    user_id: str
    id: str
    removed_at: str

    @classmethod
    def of(cls, row: RemovedAccess) -> Self:
        """Copy a row."""
        lost = row.conversation_id or row.device_id or row.user_id
        return cls(row.kind, row.user_id, lost, rfc3339(row.removed_at))


@dataclass(frozen=True, slots=True)
class ReplacedData:
    """What a restored database must take over from the one that it replaces.

    Attributes:
        lost: access that was removed in the last 30 days, and not given back since.
        members: the ids of the members of each family.
    """

    lost: list[LostAccess]
    members: dict[str, list[str]]

    def to_json(self) -> str:
        """Serialise to one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Parse a line of `to_json`."""
        stored = json.loads(line)
        return cls([LostAccess(**each) for each in stored["lost"]], stored["members"])


@dataclass(frozen=True, slots=True)
class RemovedAgain:
    """Access that the backup contained, although it was removed later.

    Attributes:
        kind: the kind of thing that the user had access to.
        username: who had it.
        name: the name of the family, group or device; empty if it has none.
        removed_at: when it was first removed; None if that is not known.
        is_removed: False if it could not be removed, because the user is the only admin of a family or group.
    """

    kind: _Kind
    username: str
    name: str
    removed_at: str | None
    is_removed: bool


def replaced_data(database: Database) -> ReplacedData:
    """Read it from the database to be replaced, which may have an older schema.

    Raises:
        StorageUnavailable: the database cannot be read.
    """
    return database.run_read(read_replaced_data)


def read_replaced_data(session: Session) -> ReplacedData:
    """As `replaced_data`, in a transaction."""
    members: dict[str, list[str]] = {}
    for family_id, user_id in session.execute(select(FamilyMembership.family_id, FamilyMembership.user_id)):
        members.setdefault(family_id, []).append(user_id)
    return ReplacedData(_lost(session), members)


def remove_noted(database: Database, data_dir: DataDir) -> list[RemovedAgain]:
    """Complete a restore: remove the access that it noted in the data directory, if any.

    A server also does this when it starts, in case the restore was killed before.
    """
    noted = data_dir.lost_access()
    if noted is None:
        return []
    removed = database.run(lambda session: remove_again(session, ReplacedData.from_json(noted)))
    data_dir.forget_lost_access()
    return removed


def remove_again(session: Session, replaced: ReplacedData) -> list[RemovedAgain]:
    """Remove access that was removed in the database that this one replaces.

    Args:
        session: the transaction.
        replaced: its data. Access that this database lacks, or that was removed before the backup, is ignored.

    Returns:
        the access that was removed, or could not be.
    """
    known = {LostAccess.of(row) for row in session.execute(select(RemovedAccess)).scalars()}
    lost = [each for each in replaced.lost if each not in known]
    removed = [_remove(session, each) for each in lost if each.kind == "user"]
    removed += [_remove_from_family(session, *each) for each in _former_members(session, replaced.members)]
    removed += [_remove(session, each) for each in lost if each.kind != "user"]
    return [each for each in removed if each is not None]


def _lost(session: Session) -> list[LostAccess]:
    if not inspect(session.connection()).has_table(RemovedAccess.__tablename__):
        return []
    membership = select(Participant.user_id).where(
        Participant.user_id == RemovedAccess.user_id, Participant.conversation_id == RemovedAccess.conversation_id
    )
    rows = session.execute(select(RemovedAccess).where(~membership.exists()).order_by(RemovedAccess.id)).scalars()
    return [LostAccess.of(row) for row in rows]


def _former_members(session: Session, members: dict[str, list[str]]) -> Iterator[tuple[Family, User]]:
    """Yield the families and users of memberships that exist here, but no longer in the replaced database."""
    of = select(Family, User).join(FamilyMembership, FamilyMembership.family_id == Family.id)
    of = of.join(User, User.id == FamilyMembership.user_id).where(Family.id.in_(members))
    for family, user in session.execute(of).all():
        if user.id not in members[family.id]:
            yield family, user


def _remove_from_family(session: Session, family: Family, user: User) -> RemovedAgain:
    is_removed = _tried(session, partial(remove_member_by_operator, session, family.id, user.id))
    return RemovedAgain("family", user.username, shown_name(family), None, is_removed)


def _remove(session: Session, lost: LostAccess) -> RemovedAgain | None:
    user = session.get(User, lost.user_id)
    if user is None or user.deleted_at is not None:
        return None
    username, found = user.username, _found(session, lost)
    if found is None:
        return None
    name, remove = found
    return RemovedAgain(lost.kind, username, name, lost.removed_at, _tried(session, remove))


def _found(session: Session, lost: LostAccess) -> tuple[str, Callable[[], object]] | None:
    """Return the name of what the user has access to, and how to remove it; None if the user has no access."""
    if lost.kind == "user":
        return "", partial(delete_account_by_operator, session, lost.user_id)
    if lost.kind == "device":
        device = session.get(Device, lost.id)
        if device is None or device.revoked_at is not None:
            return None
        return device.shown_name, partial(revoke_device, session, lost.user_id, device.id)
    conversation = session.get(Conversation, lost.id)
    membership = {"conversation_id": lost.id, "user_id": lost.user_id}
    if conversation is None or session.get(Participant, membership) is None:
        return None
    return conversation.name or "", partial(_leave, session, conversation, lost.user_id)


def _leave(session: Session, conversation: Conversation, user_id: str) -> None:
    lock_conversations(session, [conversation.id])
    if conversation.type == "group":
        remove_from_groups(session, None, [conversation], user_id)
    else:
        remove_participant(session, conversation.id, user_id)


def _tried(session: Session, remove: Callable[[], object]) -> bool:
    """Return whether it was removed; if not, nothing is changed."""
    try:
        with session.begin_nested():
            remove()
    except LastAdmin:
        return False
    return True
