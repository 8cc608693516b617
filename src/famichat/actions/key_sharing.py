"""Sending keys to other devices, and asking for them."""

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.services import Services
from famichat.chat.mls import key_sharing
from famichat.chat.mls.key_sharing import KeyShareRequest, OpenKeyRequest
from famichat.e2ee.key_share import KeyShare
from famichat.telemetry import emit, events


async def send_key_share(services: Services, actor: Identity, request: KeyShareRequest) -> str:
    """Send keys to a device, and return the id of the key share.

    Raises:
        NotFound, InvalidKeys: see `chat.mls.key_sharing.send_key_share`.
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> key_sharing.SentKeyShare:
        still_signed_in(session, actor)
        return key_sharing.send_key_share(session, actor, request)

    sent = await services.write(work)
    if not sent.repeat:
        services.broadcasts.key_shared(sent.to_user_id, request.to_device_id, request.conversation_id)
        own = sent.to_user_id == actor.user_id
        emit(events.KeyShareSent(own=own, ciphertext_bytes=len(request.ciphertext)))
    return sent.id


async def list_key_shares(services: Services, actor: Identity) -> list[KeyShare]:
    """Return the key shares that wait for the actor's device.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(key_sharing.key_shares_for, actor.device_id)


async def confirm_key_share(services: Services, actor: Identity, share_id: str) -> None:
    """Forget a key share that the actor's device has received. Confirming it again changes nothing.

    Raises:
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> None:
        still_signed_in(session, actor)
        key_sharing.confirm_key_share(session, actor.device_id, share_id)

    await services.write(work)


async def request_keys(services: Services, actor: Identity, conversation_id: str | None) -> OpenKeyRequest:
    """Ask the user's other devices and, for a conversation, its participants for keys.

    Raises:
        NotFound, InvalidKeys: see `chat.mls.key_sharing.request_keys`.
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many key requests.
    """
    services.rate_limits.check("key_request", actor)

    def work(session: Session) -> tuple[OpenKeyRequest, list[str]]:
        still_signed_in(session, actor)
        request = key_sharing.request_keys(session, actor, conversation_id)
        return request, key_sharing.who_may_answer(session, request)

    request, asked = await services.write(work)
    services.broadcasts.keys_requested(
        asked,
        {
            "id": request.id,
            "user_id": request.user_id,
            "device_id": request.device_id,
            "conversation_id": request.conversation_id,
        },
    )
    return request


async def list_key_requests(services: Services, actor: Identity) -> list[OpenKeyRequest]:
    """Return the key requests that the actor's device may answer.

    Raises:
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(key_sharing.open_key_requests, actor)
