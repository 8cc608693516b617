"""Key shares and key requests between devices."""

from pydantic import BaseModel, ConfigDict

from famichat.actions import key_sharing as actions
from famichat.chat.mls.key_sharing import KeyShareRequest, OpenKeyRequest
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.binary import KeyShareCiphertext

router = api_router("", "encryption")


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class KeyShareSubmission(_Request):
    """Keys for a device, encrypted to its HPKE key: of a conversation, or of the caller's account."""

    to_device_id: str
    conversation_id: str | None = None
    ciphertext: KeyShareCiphertext


class KeyShareCreated(BaseModel):
    """The id of a key share."""

    id: str


class KeyShareView(BaseModel):
    """A key share for the caller's device. `conversation_id` is null for the keys of the account."""

    id: str
    from_user_id: str
    conversation_id: str | None
    ciphertext: KeyShareCiphertext
    created_at: Timestamp


class KeySharesView(BaseModel):
    """Key shares, oldest first. Confirm them to receive the next ones."""

    key_shares: list[KeyShareView]


class KeyRequestSubmission(_Request):
    """The conversation whose keys the device needs; null for the keys of the account."""

    conversation_id: str | None = None


class KeyRequestView(BaseModel):
    """An open key request of a device."""

    id: str
    user_id: str
    device_id: str
    conversation_id: str | None
    created_at: Timestamp


class KeyRequestsView(BaseModel):
    """Open key requests, oldest first."""

    key_requests: list[KeyRequestView]


@router.post("/key-shares", status_code=201, summary="Send keys to a device")
async def post_key_share(body: KeyShareSubmission, caller: Caller, context: InContext) -> KeyShareCreated:
    """Send keys to another device of the caller or, for a conversation, to a device of a participant.

    Raises:
        NotFound: there is no such device, or the caller may not send it these keys.
        InvalidKeys: too many key shares of the caller wait for the device.
    """
    request = KeyShareRequest(body.to_device_id, body.conversation_id, body.ciphertext)
    return KeyShareCreated(id=await actions.send_key_share(context, caller, request))


@router.get("/me/key-shares", summary="List keys for this device")
async def get_key_shares(caller: Caller, context: InContext) -> KeySharesView:
    """List the key shares that wait for the caller's device."""
    return KeySharesView(
        key_shares=[
            KeyShareView(
                id=each.id,
                from_user_id=each.from_user_id,
                conversation_id=each.conversation_id,
                ciphertext=each.ciphertext,
                created_at=each.created_at,
            )
            for each in await actions.list_key_shares(context, caller)
        ]
    )


@router.delete("/me/key-shares/{share_id}", status_code=204, summary="Confirm a key share")
async def delete_key_share(share_id: str, caller: Caller, context: InContext) -> None:
    """Confirm that the caller's device has received a key share; a repeat changes nothing."""
    await actions.confirm_key_share(context, caller, share_id)


@router.post("/me/key-requests", status_code=201, summary="Request keys")
async def post_key_request(body: KeyRequestSubmission, caller: Caller, context: InContext) -> KeyRequestView:
    """Ask the caller's other devices and, for a conversation, its participants for keys.

    Raises:
        NotFound: the caller is not a member of the conversation.
        InvalidKeys: the device has published no keys, or is pending and asks for the keys of a conversation.
    """
    return _view(await actions.request_keys(context, caller, body.conversation_id))


@router.get("/key-requests", summary="List key requests")
async def get_key_requests(caller: Caller, context: InContext) -> KeyRequestsView:
    """List the key requests that the caller's device may answer: of the caller's other devices and of participants."""
    found = await actions.list_key_requests(context, caller)
    return KeyRequestsView(key_requests=[_view(each) for each in found])


def _view(request: OpenKeyRequest) -> KeyRequestView:
    return KeyRequestView(
        id=request.id,
        user_id=request.user_id,
        device_id=request.device_id,
        conversation_id=request.conversation_id,
        created_at=request.created_at,
    )
