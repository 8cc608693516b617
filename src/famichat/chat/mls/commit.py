"""Commits: they start the next epoch of an MLS group, and the first one creates it.

All checks and the result are one transaction with the conversation locked, so of concurrent commits exactly one wins. A
commit need not reconcile the whole roster: a device that adds itself may not remove others, and another user's lost
phone would otherwise lock it out. Only messages need a right roster.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.chat.access import Access, conversation_for
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import EncryptionNotReady, InvalidCommit, NotFound
from famichat.chat.lock import lock_conversations
from famichat.chat.mls.roster import epoch_changed, leaves_of, member_devices, stale_leaves, waiting_for
from famichat.chat.records.conversation import ConversationType
from famichat.chat.records.mls import GROUP_ID_BYTES, MlsCommit, MlsGroup, MlsLeaf, MlsWelcome, MlsWelcomeDevice
from famichat.e2ee import mls_parser
from famichat.e2ee.key_package import delete_unusable_key_packages, delete_used_key_packages, identity_of, is_current
from famichat.e2ee.mls_parser import Commit, KeyPackage, LeafNode, MlsFormatError
from famichat.e2ee.signature import CIPHER_SUITE, is_valid_key_package
from famichat.storage.base import is_id, new_id, now

MAX_LEAVES = 256
MAX_NEW_GROUPS_PER_DAY = 3
"""How often a day an MLS group that exists may be created again, for example because its state is lost."""

MAX_SKIPPED_GENERATIONS = 100
"""How many generations the next one may skip. After a restore, devices know some that the database does not."""

Reason = Literal["malformed", "group", "sender", "add", "remove", "group_info", "welcome", "too_many_groups"]
Roster = Mapping[int, tuple[str, str]]
"""The user and device of each leaf."""


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A commit that a device sends.

    Attributes:
        generation: the MLS group of the conversation.
        epoch: the epoch that the commit ends; 0 creates the MLS group of this generation.
        commit: the MLSMessage.
        group_info: the GroupInfo of the next epoch, with its tree.
        welcome: for the devices that the commit adds; None if it adds none.
        unusable_key_packages: the devices whose key packages this client cannot use.
    """

    generation: int
    epoch: int
    commit: bytes
    group_info: bytes
    welcome: bytes | None = None
    unusable_key_packages: tuple[str, ...] = ()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the commit, by which a repeat is recognized."""
        return hashlib.sha256(self.commit).digest()


@dataclass(frozen=True, slots=True)
class CommitResult:
    """An accepted commit.

    Attributes:
        conversation_type: the type of the conversation.
        generation: the generation of the MLS group.
        epoch: the epoch that the commit began.
        since_seq: `last_seq` of the conversation at the commit.
        added: the user and device of each new leaf, apart from the sender's.
        removed: how many leaves were removed.
        external: whether the sender added itself.
        repeat: whether it was accepted earlier; it is then not announced.
    """

    conversation_type: ConversationType
    generation: int
    epoch: int
    since_seq: int
    added: tuple[tuple[str, str], ...] = ()
    removed: int = 0
    external: bool = False
    repeat: bool = False


def create_mls_group(
    session: Session, actor: Identity, conversation_id: str, request: CommitRequest, policies: EncryptionPolicies
) -> CommitResult:
    """Create the first or next MLS group of a conversation, with a commit from epoch 0 that adds all devices.

    The conversation is encrypted from then on, for good.

    Raises:
        NotFound: the actor is not a member, or the device is signed out.
        EpochChanged: `generation` is not the next one, or one of those after it.
        EncryptionNotReady: the policy does not require encryption, or a participant has no usable device.
        InvalidCommit: a check failed.
    """
    access = _locked(session, actor, conversation_id)
    group = session.get(MlsGroup, conversation_id)
    if (repeat := _repeated(session, access, request)) is not None:
        return repeat
    following = 0 if group is None else group.generation + 1
    if request.epoch != 0 or not following <= request.generation <= following + MAX_SKIPPED_GENERATIONS:
        raise epoch_changed(session, conversation_id)
    _check_may_create(session, access, policies, is_first=group is None)
    commit = _parsed(request)
    is_former = group is not None and group.group_id == commit.group_id
    if len(commit.group_id) != GROUP_ID_BYTES or is_former or commit.epoch != 0:
        raise _invalid("group")
    founder = {0: (actor.user_id, actor.device_id)}
    own_key = _own_signature_key(session, access, actor)
    if commit.sender is None:
        raise _invalid("sender")
    _check_sender(commit, founder, actor, own_key)
    if commit.removes:
        raise _invalid("remove")
    added = _added(session, access, commit, present=founder.values())
    leaves = _with_new_leaves(founder, added)
    if group is not None:
        session.delete(group)  # and its leaves
        session.execute(delete(MlsWelcome).where(MlsWelcome.conversation_id == conversation_id))
        session.flush()
    session.add(
        MlsGroup(
            conversation_id=conversation_id,
            generation=request.generation,
            group_id=commit.group_id,
            epoch=1,
            since_seq=access.conversation.last_seq,
            group_info=request.group_info,
        )
    )
    session.flush()
    access.conversation.encryption_required = True
    return _accepted(session, access, actor, request, _Accepted(commit, leaves, added))


def make_commit(session: Session, actor: Identity, conversation_id: str, request: CommitRequest) -> CommitResult:
    """Accept a commit of a member device, or an external commit by which a device adds itself.

    Raises:
        NotFound: the actor is not a member, or the device is signed out.
        EpochChanged: the generation or epoch is not the current one.
        InvalidCommit: a check failed.
    """
    access = _locked(session, actor, conversation_id)
    if (repeat := _repeated(session, access, request)) is not None:
        return repeat
    group = session.get(MlsGroup, conversation_id)
    if group is None or (group.generation, group.epoch) != (request.generation, request.epoch):
        raise epoch_changed(session, conversation_id)
    commit = _parsed(request)
    if (commit.group_id, commit.epoch) != (group.group_id, request.epoch):
        raise _invalid("group")
    leaves = {index: (leaf.user_id, leaf.device_id) for index, leaf in leaves_of(session, conversation_id).items()}
    own_key = _own_signature_key(session, access, actor)
    _check_sender(commit, leaves, actor, own_key)
    _check_removes(session, access, commit, leaves, actor)
    remaining = {index: leaf for index, leaf in leaves.items() if index not in commit.removes}
    added = _added(session, access, commit, present=remaining.values())
    joining = [(actor.user_id, actor.device_id)] if commit.sender is None else []
    after = _with_new_leaves(remaining, [*joining, *added])
    began = (
        update(MlsGroup)
        .where(
            MlsGroup.conversation_id == conversation_id,
            MlsGroup.generation == request.generation,
            MlsGroup.epoch == request.epoch,
        )
        .values(epoch=MlsGroup.epoch + 1, since_seq=access.conversation.last_seq, group_info=request.group_info)
        .returning(MlsGroup.epoch)
    )
    if session.execute(began, execution_options={"synchronize_session": False}).one_or_none() is None:
        raise epoch_changed(session, conversation_id)
    session.execute(delete(MlsLeaf).where(MlsLeaf.conversation_id == conversation_id))
    session.expire_all()
    return _accepted(session, access, actor, request, _Accepted(commit, after, added))


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A commit that has passed the checks of its sender and proposals; `leaves` is the roster after it."""

    commit: Commit
    leaves: Roster
    added: Sequence[tuple[str, str]]


def _locked(session: Session, actor: Identity, conversation_id: str) -> Access:
    if not is_id(conversation_id):
        raise NotFound
    lock_conversations(session, [conversation_id])
    return conversation_for(session, actor.user_id, conversation_id, device_id=actor.device_id)


def _check_may_create(session: Session, access: Access, policies: EncryptionPolicies, *, is_first: bool) -> None:
    conversation = access.conversation
    if not is_first:
        recent = select(func.count()).where(
            MlsCommit.conversation_id == conversation.id,
            MlsCommit.epoch == 0,
            MlsCommit.generation > 0,
            MlsCommit.created_at > now() - timedelta(days=1),
        )
        if session.execute(recent).scalar_one() >= MAX_NEW_GROUPS_PER_DAY:
            raise _invalid("too_many_groups")
        return
    # An optional policy creates no MLS group before lost keys can be recovered.
    required = policies.of(conversation.type, required_once=conversation.encryption_required) == "required"
    waiting = waiting_for(session, conversation)
    if waiting or not required:
        raise EncryptionNotReady(waiting_for=waiting)


def _repeated(session: Session, access: Access, request: CommitRequest) -> CommitResult | None:
    key = access.conversation.id, request.generation, request.epoch
    stored = session.get(MlsCommit, key)
    if stored is None or stored.digest != request.digest:
        return None
    return CommitResult(access.conversation.type, stored.generation, stored.epoch + 1, stored.since_seq, repeat=True)


def _parsed(request: CommitRequest) -> Commit:
    try:
        return mls_parser.parse_commit(request.commit)
    except MlsFormatError as error:
        raise _invalid("malformed") from error


def _own_signature_key(session: Session, access: Access, actor: Identity) -> bytes:
    for each in member_devices(session, access.conversation.id):
        if each.device_id == actor.device_id:
            return each.signature_key
    raise _invalid("sender")


def _check_sender(commit: Commit, leaves: Roster, actor: Identity, own_key: bytes) -> None:
    """Check that the commit comes from the actor's leaf or, if it is external, adds the actor's device."""
    path = commit.path_leaf
    if path is not None and not _is_leaf_of(path, actor, own_key):
        raise _invalid("sender")
    if commit.sender is not None:
        is_own_leaf = leaves.get(commit.sender) == (actor.user_id, actor.device_id)
        if not is_own_leaf or commit.external_inits:
            raise _invalid("sender")
        return
    # RFC 9420, section 12.4.3.2: exactly one ExternalInit, a path, at most one Remove, and no Add.
    if path is None or commit.external_inits != 1 or len(commit.removes) > 1:
        raise _invalid("sender")
    if commit.adds:
        raise _invalid("add")


def _is_leaf_of(leaf: LeafNode, actor: Identity, signature_key: bytes) -> bool:
    return leaf.identity == identity_of(actor.user_id, actor.device_id) and leaf.signature_key == signature_key


def _check_removes(session: Session, access: Access, commit: Commit, leaves: Roster, actor: Identity) -> None:
    own = actor.user_id, actor.device_id
    if len(set(commit.removes)) < len(commit.removes) or not leaves.keys() >= set(commit.removes):
        raise _invalid("remove")
    if commit.sender is None:
        # A device that has a leaf already replaces it, and removes no other.
        if [leaves[index] for index in commit.removes] != [leaf for leaf in leaves.values() if leaf == own]:
            raise _invalid("remove")
        return
    stale = set(stale_leaves(session, access.conversation.id))
    for index in commit.removes:
        user_id, _ = leaves[index]
        if index == commit.sender or not (index in stale or user_id == actor.user_id):
            raise _invalid("remove")


def _added(
    session: Session, access: Access, commit: Commit, *, present: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return the user and device of each Add, in order."""
    if not commit.adds:
        return []
    devices = {
        identity_of(each.user_id, each.device_id): each for each in member_devices(session, access.conversation.id)
    }
    taken = set(present)
    added: list[tuple[str, str]] = []
    for package in commit.adds:
        device = devices.get(package.leaf.identity or b"")
        if (
            device is None
            or (device.user_id, device.device_id) in taken
            or not _is_usable(package, device.signature_key)
        ):
            raise _invalid("add")
        taken.add((device.user_id, device.device_id))
        added.append((device.user_id, device.device_id))
    return added


def _is_usable(package: KeyPackage, signature_key: bytes) -> bool:
    return package.leaf.signature_key == signature_key and is_current(package) and is_valid_key_package(package)


def _with_new_leaves(leaves: Roster, added: Iterable[tuple[str, str]]) -> Roster:
    """Return the leaves after Adds. Each takes the leftmost blank leaf (RFC 9420, section 12.1.1)."""
    after, index = dict(leaves), 0
    for each in added:
        while index in after:
            index += 1
        after[index] = each
    return after


def _accepted(
    session: Session, access: Access, actor: Identity, request: CommitRequest, accepted: _Accepted
) -> CommitResult:
    """Check GroupInfo and Welcome, and store the commit with its result."""
    commit, conversation = accepted.commit, access.conversation
    _check_group_info(request, commit, accepted.leaves)
    refs = [package.ref for package in commit.adds]
    _check_welcome(request.welcome, refs)
    since_seq = conversation.last_seq
    session.add_all(
        MlsLeaf(conversation_id=conversation.id, leaf_index=index, user_id=user_id, device_id=device_id)
        for index, (user_id, device_id) in accepted.leaves.items()
    )
    session.add(
        MlsCommit(
            conversation_id=conversation.id,
            generation=request.generation,
            epoch=request.epoch,
            digest=request.digest,
            encoded=request.commit,
            user_id=actor.user_id,
            device_id=actor.device_id,
            since_seq=since_seq,
        )
    )
    delete_used_key_packages(session, refs)
    if request.unusable_key_packages:
        # Only of the participants, because key packages of others were not given out here.
        devices = {each.device_id for each in member_devices(session, conversation.id)}
        delete_unusable_key_packages(session, conversation.id, devices.intersection(request.unusable_key_packages))
    _store_welcome(session, conversation.id, request, accepted.added)
    session.flush()
    return CommitResult(
        conversation.type,
        request.generation,
        request.epoch + 1,
        since_seq,
        added=tuple(accepted.added),
        removed=len(commit.removes),
        external=commit.sender is None,
    )


def _check_group_info(request: CommitRequest, commit: Commit, leaves: Roster) -> None:
    if len(leaves) > MAX_LEAVES:
        raise _invalid("group_info")
    try:
        info = mls_parser.parse_group_info(request.group_info)
    except MlsFormatError as error:
        raise _invalid("malformed") from error
    expected = {index: identity_of(*each) for index, each in leaves.items()}
    if (
        (info.cipher_suite, info.group_id, info.epoch) != (CIPHER_SUITE, commit.group_id, request.epoch + 1)
        or not info.has_external_pub
        or {index: leaf.identity for index, leaf in info.leaves.items()} != expected
    ):
        raise _invalid("group_info")


def _check_welcome(encoded: bytes | None, refs: Sequence[bytes]) -> None:
    if encoded is None and not refs:
        return
    try:
        welcome = None if encoded is None else mls_parser.parse_welcome(encoded)
    except MlsFormatError as error:
        raise _invalid("malformed") from error
    if (
        welcome is None
        or welcome.cipher_suite != CIPHER_SUITE
        or sorted(welcome.new_members) != sorted(refs)
        or not refs
    ):
        raise _invalid("welcome")


def _store_welcome(
    session: Session, conversation_id: str, request: CommitRequest, added: Iterable[tuple[str, str]]
) -> None:
    if request.welcome is None:
        return
    welcome = MlsWelcome(
        id=new_id(),
        conversation_id=conversation_id,
        generation=request.generation,
        epoch=request.epoch + 1,
        body=request.welcome,
    )
    session.add(welcome)
    session.flush()
    session.add_all(MlsWelcomeDevice(welcome_id=welcome.id, device_id=device_id) for _, device_id in added)


def _invalid(reason: Reason) -> InvalidCommit:
    return InvalidCommit(reason=reason)
