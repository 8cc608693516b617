"""What devices read of an MLS group: its state, its commits and their Welcomes."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.accounts.sign_in.token import Identity
from famichat.chat.access import conversation_for
from famichat.chat.errors import CommitsExpired, NotFound
from famichat.chat.mls.roster import MemberDevice, missing_devices, stale_leaves, waiting_for
from famichat.chat.records.message import Message
from famichat.chat.records.mls import MlsCommit, MlsGroup, MlsWelcome, MlsWelcomeDevice
from famichat.chat.records.participant import Participant
from famichat.storage.base import is_id

Key = TypeVar("Key")

MAX_PAGE = 100
MAX_PAGE_BYTES = 1024 * 1024


class MlsView(TypedDict):
    """The current epoch of an MLS group. `epoch` is null after a restore, until the group is created again."""

    generation: int
    epoch: int | None


@dataclass(frozen=True, slots=True)
class GroupState:
    """What a device needs to create an MLS group, to join it or to reconcile its roster.

    Attributes:
        group: the MLS group; None before the first is created.
        waiting_for: the participants who are not ready for the first one.
        stale_leaves: the leaves to remove.
        missing_devices: the devices to add.
    """

    group: MlsGroup | None
    waiting_for: list[str]
    stale_leaves: list[int]
    missing_devices: list[MemberDevice]


def group_state(session: Session, actor: Identity, conversation_id: str) -> GroupState:
    """Return the state of a conversation's MLS group.

    Raises:
        NotFound: the actor is not a member, or the device is signed out.
    """
    access = conversation_for(session, actor.user_id, conversation_id, device_id=actor.device_id)
    return GroupState(
        session.get(MlsGroup, conversation_id),
        waiting_for(session, access.conversation),
        stale_leaves(session, conversation_id),
        missing_devices(session, conversation_id),
    )


def epochs_of(session: Session, conversation_ids: Collection[str]) -> dict[str, MlsView]:
    """Return the current epoch of those of these conversations that have an MLS group, with at most one query."""
    if not conversation_ids:
        return {}
    columns = select(MlsGroup.conversation_id, MlsGroup.generation, MlsGroup.epoch)
    rows = session.execute(columns.where(MlsGroup.conversation_id.in_(conversation_ids)))
    return {row.conversation_id: {"generation": row.generation, "epoch": row.epoch} for row in rows}


def commits_after(
    session: Session, actor: Identity, conversation_id: str, generation: int, after_epoch: int
) -> list[MlsCommit]:
    """Return the commits that lead from an epoch to later ones, in order: at most 100, and 1 MiB or one commit.

    Args:
        session: the transaction.
        actor: a member of the conversation.
        conversation_id: the conversation.
        generation: the generation of the MLS group.
        after_epoch: the epoch that the device is in.

    Raises:
        NotFound: the actor is not a member, or the device is signed out.
        CommitsExpired: the commit that ends `after_epoch` is no longer stored.
    """
    conversation_for(session, actor.user_id, conversation_id, device_id=actor.device_id)
    sizes = (
        select(MlsCommit.epoch, func.length(MlsCommit.encoded))
        .where(
            MlsCommit.conversation_id == conversation_id,
            MlsCommit.generation == generation,
            MlsCommit.epoch >= after_epoch,
        )
        .order_by(MlsCommit.epoch)
        .limit(MAX_PAGE)
    )
    epochs = page([(row[0], row[1]) for row in session.execute(sizes)])
    group = session.get(MlsGroup, conversation_id)
    has_ended = (
        group is not None and group.generation == generation and group.epoch is not None and group.epoch > after_epoch
    )
    if (has_ended or epochs) and epochs[:1] != [after_epoch]:
        raise CommitsExpired
    commits = select(MlsCommit).where(
        MlsCommit.conversation_id == conversation_id,
        MlsCommit.generation == generation,
        MlsCommit.epoch.in_(epochs),
    )
    return list(session.execute(commits.order_by(MlsCommit.epoch)).scalars())


def welcomes_for(session: Session, device_id: str) -> list[MlsWelcome]:
    """Return Welcomes that a device has not confirmed, oldest first: at most 100, and 1 MiB or one Welcome."""
    mine = select(MlsWelcomeDevice.welcome_id).where(MlsWelcomeDevice.device_id == device_id)
    sizes = select(MlsWelcome.id, func.length(MlsWelcome.body)).where(MlsWelcome.id.in_(mine))
    rows = session.execute(sizes.order_by(MlsWelcome.id).limit(MAX_PAGE))
    ids = page([(row[0], row[1]) for row in rows])
    welcomes = select(MlsWelcome).where(MlsWelcome.id.in_(ids)).order_by(MlsWelcome.id)
    return list(session.execute(welcomes).scalars())


def confirm_welcome(session: Session, device_id: str, welcome_id: str) -> None:
    """Forget a Welcome that a device has received. Confirming it again changes nothing."""
    if not is_id(welcome_id):
        return
    session.execute(
        delete(MlsWelcomeDevice).where(
            MlsWelcomeDevice.welcome_id == welcome_id, MlsWelcomeDevice.device_id == device_id
        )
    )
    waiting = exists().where(MlsWelcomeDevice.welcome_id == MlsWelcome.id)
    session.execute(delete(MlsWelcome).where(MlsWelcome.id == welcome_id, ~waiting))


def require_shared_conversation(session: Session, user_id: str, other_id: str) -> None:
    """Check that a user may see the public keys of another one.

    Raises:
        NotFound: the other one neither takes part nor has sent messages in a conversation of the user.
    """
    if not is_id(other_id):
        raise NotFound
    if user_id == other_id:
        return
    mine = select(Participant.conversation_id).where(Participant.user_id == user_id)
    takes_part = exists().where(Participant.user_id == other_id, Participant.conversation_id.in_(mine))
    has_sent = exists().where(Message.user_id == other_id, Message.conversation_id.in_(mine))
    if not session.execute(select(or_(takes_part, has_sent))).scalar_one():
        raise NotFound


def page(sizes: Iterable[tuple[Key, int]]) -> list[Key]:
    """Return the first keys whose sizes fit into a page, at least one if there is any."""
    keys: list[Key] = []
    total = 0
    for key, size in sizes:
        total += size
        if keys and total > MAX_PAGE_BYTES:
            break
        keys.append(key)
    return keys
