"""MLS groups of conversations: their state, commits, Welcomes and key packages."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from famichat.actions import mls as actions
from famichat.chat.mls.commit import MAX_LEAVES, CommitRequest
from famichat.chat.mls.state import GroupState
from famichat.e2ee.envelope import MAX_EPOCH
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.binary import EncodedKeyPackage, MlsMessage
from famichat.endpoint.schemas.parameters import digits

router = api_router("", "encryption")

_MAX_GENERATION = 2**31 - 1
Generation = Annotated[int, BeforeValidator(digits), Query(ge=0, le=_MAX_GENERATION)]
Epoch = Annotated[int, BeforeValidator(digits), Query(ge=0, le=MAX_EPOCH)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MlsDeviceView(BaseModel):
    """A signed device of a participant."""

    user_id: str
    device_id: str


class MlsGroupView(BaseModel):
    """The MLS group of a conversation, and what it needs.

    The first four fields are null before the first MLS group is created; `epoch` is null after a restore, too, until
    the group is created again.
    """

    generation: int | None
    epoch: int | None
    since_seq: int | None = Field(description="The position of the newest message before the epoch.")
    group_info: MlsMessage | None
    ready: bool = Field(description="Whether every participant is ready for the first MLS group.")
    waiting_for: list[str] = Field(description="The participants who are not ready.")
    stale_leaves: list[int] = Field(description="The leaves that the next commit should remove.")
    missing_devices: list[MlsDeviceView] = Field(description="The devices that the next commit should add.")


class KeyPackagesRequest(_Request):
    """For which MLS group: the present one, or the next one, which the caller is about to create."""

    new_group: bool = False


class KeyPackageView(MlsDeviceView):
    """The key package of a device."""

    key_package: EncodedKeyPackage


class KeyPackagesView(BaseModel):
    """One key package of each device that has any."""

    key_packages: list[KeyPackageView]


class GroupCreation(_Request):
    """The commit from epoch 0 that adds all devices; `generation` is the current one plus 1, or 0 for the first."""

    generation: int = Field(ge=0, le=_MAX_GENERATION)
    commit: MlsMessage
    welcome: MlsMessage | None = None
    group_info: MlsMessage
    unusable_key_packages: list[str] = Field(default_factory=list, max_length=MAX_LEAVES)


class CommitSubmission(GroupCreation):
    """A commit; `epoch` is the one that it ends."""

    epoch: int = Field(ge=1, le=MAX_EPOCH)


class NewEpoch(BaseModel):
    """The epoch that a commit began."""

    generation: int
    epoch: int


class CommitView(BaseModel):
    """A commit, and the epoch that it began."""

    epoch: int
    commit: MlsMessage
    user_id: str
    device_id: str
    since_seq: int


class CommitsView(BaseModel):
    """Commits in the order of their epochs. If there may be more, ask again after the last epoch."""

    commits: list[CommitView]


class WelcomeView(BaseModel):
    """A Welcome for the caller's device."""

    id: str
    conversation_id: str
    generation: int
    epoch: int
    welcome: MlsMessage


class WelcomesView(BaseModel):
    """Welcomes, oldest first. Confirm them to receive the next ones."""

    welcomes: list[WelcomeView]


@router.get("/conversations/{conversation_id}/mls", summary="Show the MLS group of a conversation")
async def get_group(conversation_id: str, caller: Caller, context: InContext) -> MlsGroupView:
    """Return the current epoch, and which leaves and devices differ from the participants.

    Raises:
        NotFound: the caller is not a member.
    """
    return _view(await actions.read_group_state(context, caller, conversation_id))


@router.post("/conversations/{conversation_id}/mls", status_code=201, summary="Create the MLS group of a conversation")
async def post_group(conversation_id: str, body: GroupCreation, caller: Caller, context: InContext) -> NewEpoch:
    """Create the first or next MLS group. The conversation is encrypted from then on, for good.

    Raises:
        NotFound: the caller is not a member.
        EpochChanged: `generation` is not the next one.
        EncryptionNotReady: the policy does not require encryption, or a participant has no usable device.
        InvalidCommit: `reason` says which check failed.
    """
    result = await actions.create_group(context, caller, conversation_id, _request(body, epoch=0))
    return NewEpoch(generation=result.generation, epoch=result.epoch)


@router.post("/conversations/{conversation_id}/mls/key-packages", summary="Get key packages to add devices")
async def post_key_packages(
    conversation_id: str, caller: Caller, context: InContext, body: KeyPackagesRequest | None = None
) -> KeyPackagesView:
    """Get one key package of each missing device. Every caller gets the same ones until they are used.

    Raises:
        NotFound: the caller is not a member.
    """
    new_group = body is not None and body.new_group
    claimed = await actions.claim_packages(context, caller, conversation_id, for_new_group=new_group)
    return KeyPackagesView(
        key_packages=[
            KeyPackageView(user_id=each.device.user_id, device_id=each.device.device_id, key_package=each.body)
            for each in claimed
        ]
    )


@router.get("/conversations/{conversation_id}/mls/commits", summary="List commits")
async def get_commits(
    conversation_id: str, caller: Caller, context: InContext, generation: Generation, after_epoch: Epoch
) -> CommitsView:
    """List the commits that lead from an epoch to later ones: at most 100, and 1 MiB or one commit.

    Raises:
        NotFound: the caller is not a member.
        CommitsExpired: the next commit is no longer stored.
    """
    commits = await actions.read_commits(context, caller, conversation_id, generation, after_epoch)
    return CommitsView(
        commits=[
            CommitView(
                epoch=each.epoch + 1,
                commit=each.encoded,
                user_id=each.user_id,
                device_id=each.device_id,
                since_seq=each.since_seq,
            )
            for each in commits
        ]
    )


@router.post("/conversations/{conversation_id}/mls/commits", status_code=201, summary="Send a commit")
async def post_commit(conversation_id: str, body: CommitSubmission, caller: Caller, context: InContext) -> NewEpoch:
    """Begin the next epoch of the MLS group. Of several commits for one epoch, the first is accepted.

    Raises:
        NotFound: the caller is not a member.
        EpochChanged: the generation or epoch is not the current one.
        InvalidCommit: `reason` says which check failed.
    """
    result = await actions.commit(context, caller, conversation_id, _request(body, epoch=body.epoch))
    return NewEpoch(generation=result.generation, epoch=result.epoch)


@router.get("/me/welcomes", summary="List Welcomes for this device")
async def get_welcomes(caller: Caller, context: InContext) -> WelcomesView:
    """List the Welcomes that wait for the caller's device."""
    return WelcomesView(
        welcomes=[
            WelcomeView(
                id=each.id,
                conversation_id=each.conversation_id,
                generation=each.generation,
                epoch=each.epoch,
                welcome=each.body,
            )
            for each in await actions.list_welcomes(context, caller)
        ]
    )


@router.delete("/me/welcomes/{welcome_id}", status_code=204, summary="Confirm a Welcome")
async def delete_welcome(welcome_id: str, caller: Caller, context: InContext) -> None:
    """Confirm that the caller's device has received a Welcome; a repeat changes nothing."""
    await actions.confirm_welcome(context, caller, welcome_id)


def _request(body: GroupCreation, epoch: int) -> CommitRequest:
    unusable = tuple(body.unusable_key_packages)
    return CommitRequest(body.generation, epoch, body.commit, body.group_info, body.welcome, unusable)


def _view(found: GroupState) -> MlsGroupView:
    group = found.group
    return MlsGroupView(
        generation=None if group is None else group.generation,
        epoch=None if group is None else group.epoch,
        since_seq=None if group is None else group.since_seq,
        group_info=None if group is None else group.group_info,
        ready=not found.waiting_for,
        waiting_for=found.waiting_for,
        stale_leaves=found.stale_leaves,
        missing_devices=[
            MlsDeviceView(user_id=each.user_id, device_id=each.device_id) for each in found.missing_devices
        ],
    )
