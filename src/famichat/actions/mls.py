"""Creating MLS groups, changing them by commits, and reading what devices need for that."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.access import conversation_for
from famichat.chat.conversations.view import views_by_member
from famichat.chat.errors import ChatError
from famichat.chat.lock import lock_conversations
from famichat.chat.mls import state
from famichat.chat.mls.commit import CommitRequest, CommitResult, create_mls_group, make_commit
from famichat.chat.mls.roster import MemberDevice, member_devices, missing_devices
from famichat.chat.records.mls import MlsCommit, MlsWelcome
from famichat.e2ee.key_package import LOW, claim_key_packages, unclaimed_key_packages
from famichat.telemetry import emit, events


@dataclass(frozen=True, slots=True)
class ClaimedKeyPackage:
    """A key package that was given out, and how many its device has left."""

    device: MemberDevice
    body: bytes
    left: int


async def read_group_state(services: Services, actor: Identity, conversation_id: str) -> state.GroupState:
    """Return the state of a conversation's MLS group.

    Raises:
        NotFound: the actor is not a member.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(state.group_state, actor, conversation_id)


async def read_commits(
    services: Services, actor: Identity, conversation_id: str, generation: int, after_epoch: int
) -> list[MlsCommit]:
    """Return the commits that lead from an epoch to later ones; see `commits_after`.

    Raises:
        NotFound: the actor is not a member.
        CommitsExpired: the next one is no longer stored.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(state.commits_after, actor, conversation_id, generation, after_epoch)


async def list_welcomes(services: Services, actor: Identity) -> list[MlsWelcome]:
    """Return the Welcomes that wait for the actor's device.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(state.welcomes_for, actor.device_id)


async def confirm_welcome(services: Services, actor: Identity, welcome_id: str) -> None:
    """Forget a Welcome that the actor's device has received. Confirming it again changes nothing.

    Raises:
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> None:
        still_signed_in(session, actor)
        state.confirm_welcome(session, actor.device_id, welcome_id)

    await services.write(work)


async def claim_packages(
    services: Services, actor: Identity, conversation_id: str, *, for_new_group: bool
) -> list[ClaimedKeyPackage]:
    """Give out a key package of each device that the actor may add to the MLS group.

    Args:
        services: the services of this server.
        actor: a member of the conversation.
        conversation_id: the conversation.
        for_new_group: whether the actor creates the next MLS group: then also for the devices that have a leaf in the
            present one, apart from the actor's own.

    Raises:
        NotFound: the actor is not a member.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> list[ClaimedKeyPackage]:
        conversation_for(session, actor.user_id, conversation_id, device_id=actor.device_id)
        lock_conversations(session, [conversation_id])
        wanted = (member_devices if for_new_group else missing_devices)(session, conversation_id)
        devices = [each for each in wanted if each.device_id != actor.device_id]
        claimed = claim_key_packages(session, conversation_id, [each.device_id for each in devices])
        return [
            ClaimedKeyPackage(each, claimed[each.device_id].body, unclaimed_key_packages(session, each.device_id))
            for each in devices
            if each.device_id in claimed
        ]

    packages = await services.write(work)
    for each in packages:
        if each.left < LOW:
            user_id, device_id = each.device.user_id, each.device.device_id
            services.broadcasts.key_packages_low(user_id, device_id, each.left)
            emit(events.KeyPackagesRunLow(user_id=user_id, device_id=device_id, count=each.left))
    return packages


async def create_group(
    services: Services, actor: Identity, conversation_id: str, request: CommitRequest
) -> CommitResult:
    """Create the first or next MLS group of a conversation, and announce it.

    Raises:
        NotFound, EpochChanged, EncryptionNotReady, InvalidCommit: see `create_mls_group`.
        RateLimited: too many commits.
    """

    def create(session: Session) -> CommitResult:
        return create_mls_group(session, actor, conversation_id, request, services.policies)

    result = await _commit(services, actor, conversation_id, request, create)
    if not result.repeat:
        emit(
            events.MlsGroupCreated(
                conversation_type=result.conversation_type,
                conversation_id=conversation_id,
                devices=len(result.added) + 1,
            )
        )
        # The members see that the conversation is encrypted now.
        views = await services.read(views_by_member, conversation_id, services.policies, services.vault)
        services.broadcasts.conversation_updated(views)
    return result


async def commit(services: Services, actor: Identity, conversation_id: str, request: CommitRequest) -> CommitResult:
    """Begin the next epoch of an MLS group, and announce it.

    Raises:
        NotFound, EpochChanged, InvalidCommit: see `make_commit`.
        RateLimited: too many commits.
    """

    def make(session: Session) -> CommitResult:
        return make_commit(session, actor, conversation_id, request)

    return await _commit(services, actor, conversation_id, request, make)


async def _commit(
    services: Services,
    actor: Identity,
    conversation_id: str,
    request: CommitRequest,
    write: Callable[[Session], CommitResult],
) -> CommitResult:
    started = time.perf_counter()
    services.rate_limits.check("commit", actor)
    try:
        # Between two batches: a message of the new epoch is never announced before the epoch.
        result = await services.write_between_batches(write)
    except ChatError as error:
        emit(events.CommitRejected(reason=str(error.details.get("reason", error.code))))
        raise
    if result.repeat:
        return result
    services.broadcasts.epoch_changed(
        ConversationTopic(result.conversation_type, conversation_id),
        {
            "generation": result.generation,
            "epoch": result.epoch,
            "commit": base64.urlsafe_b64encode(request.commit).rstrip(b"=").decode(),
            "user_id": actor.user_id,
            "device_id": actor.device_id,
            "since_seq": result.since_seq,
        },
    )
    for user_id, device_id in result.added:
        services.broadcasts.welcome_waiting(user_id, device_id, conversation_id)
    emit(
        events.CommitAccepted(
            conversation_type=result.conversation_type,
            conversation_id=conversation_id,
            adds=len(result.added),
            removes=result.removed,
            external=result.external,
            commit_bytes=len(request.commit),
            duration_seconds=time.perf_counter() - started,
        )
    )
    return result
