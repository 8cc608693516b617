"""Key shares and key requests between devices: who may send keys to whom, and who is asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.sign_in.token import Identity
from famichat.chat.access import conversation_for
from famichat.chat.errors import NotFound
from famichat.chat.mls.state import page
from famichat.chat.records.participant import Participant, participants
from famichat.e2ee.device_keys import DeviceKeys
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_share import KeyRequest, KeyShare
from famichat.storage.base import is_id, new_id, now

MAX_WAITING_SHARES = 100
"""How many key shares of one user can wait for a device."""
MAX_PAGE = 100
ACCOUNT_REQUEST_LIFE = timedelta(minutes=10)
"""How long a request for the keys of an account is shown: two people compare words on two screens."""


@dataclass(frozen=True, slots=True)
class KeyShareRequest:
    """A key share to be sent; see `KeyShare`."""

    to_device_id: str
    conversation_id: str | None
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class SentKeyShare:
    """A stored key share, and the user of its device. `repeat` says that it was sent before."""

    id: str
    to_user_id: str
    repeat: bool


@dataclass(frozen=True, slots=True)
class OpenKeyRequest:
    """A key request, with the user of its device."""

    id: str
    user_id: str
    device_id: str
    conversation_id: str | None
    created_at: datetime


def send_key_share(session: Session, actor: Identity, request: KeyShareRequest) -> SentKeyShare:
    """Store a key share, which answers the request of its device.

    Without a conversation, it is for another device of the actor. Otherwise both users take part in the conversation.

    Raises:
        NotFound: there is no such device with published keys, or the actor may not send it this share.
        InvalidKeys: `too_many_key_shares` wait for the device.
    """
    if not is_id(request.to_device_id):
        raise NotFound
    target = session.get(DeviceKeys, request.to_device_id)
    device = session.get(Device, request.to_device_id)
    if target is None or device is None or device.revoked_at is not None:
        raise NotFound
    if request.conversation_id is not None:
        conversation_for(session, actor.user_id, request.conversation_id, device_id=actor.device_id)
        if target.user_id not in participants(session, request.conversation_id):
            raise NotFound
    elif target.user_id != actor.user_id:
        raise NotFound
    mine = KeyShare.to_device_id == request.to_device_id, KeyShare.from_user_id == actor.user_id
    same = select(KeyShare.id).where(
        *mine,
        KeyShare.conversation_id.is_not_distinct_from(request.conversation_id),
        KeyShare.ciphertext == request.ciphertext,
    )
    if (share_id := session.execute(same).scalars().first()) is not None:
        return SentKeyShare(share_id, target.user_id, repeat=True)
    if session.execute(select(func.count()).where(*mine)).scalar_one() >= MAX_WAITING_SHARES:
        raise InvalidKeys(reason="too_many_key_shares")
    share = KeyShare(
        id=new_id(),
        to_device_id=request.to_device_id,
        from_user_id=actor.user_id,
        conversation_id=request.conversation_id,
        ciphertext=request.ciphertext,
    )
    session.add(share)
    answered = (
        KeyRequest.device_id == request.to_device_id,
        KeyRequest.conversation_id.is_not_distinct_from(request.conversation_id),
    )
    session.execute(delete(KeyRequest).where(*answered))
    session.flush()
    return SentKeyShare(share.id, target.user_id, repeat=False)


def key_shares_for(session: Session, device_id: str) -> list[KeyShare]:
    """Return key shares that a device has not confirmed, oldest first: at most 100, and 1 MiB or one share."""
    sizes = select(KeyShare.id, func.length(KeyShare.ciphertext)).where(KeyShare.to_device_id == device_id)
    rows = session.execute(sizes.order_by(KeyShare.id).limit(MAX_PAGE))
    ids = page([(row[0], row[1]) for row in rows])
    return list(session.execute(select(KeyShare).where(KeyShare.id.in_(ids)).order_by(KeyShare.id)).scalars())


def confirm_key_share(session: Session, device_id: str, share_id: str) -> None:
    """Forget a key share that a device has received. Confirming it again changes nothing."""
    if is_id(share_id):
        session.execute(delete(KeyShare).where(KeyShare.id == share_id, KeyShare.to_device_id == device_id))


def request_keys(session: Session, actor: Identity, conversation_id: str | None) -> OpenKeyRequest:
    """Open a request of the actor's device, or return the open one, which is renewed if it is no longer shown.

    Raises:
        NotFound: the actor is not a member of the conversation.
        InvalidKeys: `device_keys` if the device has published none; `certificate` if it is pending and asks for the
            keys of a conversation: others do not send any to a device that its user has not approved.
    """
    keys = session.get(DeviceKeys, actor.device_id)
    if keys is None:
        raise InvalidKeys(reason="device_keys")
    if conversation_id is not None:
        conversation_for(session, actor.user_id, conversation_id, device_id=actor.device_id)
        if keys.certificate is None:
            raise InvalidKeys(reason="certificate")
    own = KeyRequest.device_id == actor.device_id, KeyRequest.conversation_id.is_not_distinct_from(conversation_id)
    request = session.execute(select(KeyRequest).where(*own)).scalar_one_or_none()
    if request is None:
        request = KeyRequest(id=new_id(), device_id=actor.device_id, conversation_id=conversation_id)
        session.add(request)
        session.flush()
    elif request.created_at <= now() - ACCOUNT_REQUEST_LIFE:
        request.created_at = now()
        session.flush()
    return OpenKeyRequest(request.id, actor.user_id, actor.device_id, conversation_id, request.created_at)


def who_may_answer(session: Session, request: OpenKeyRequest) -> list[str]:
    """Return the users whose devices are asked: the user, and the participants of the conversation."""
    others = [] if request.conversation_id is None else participants(session, request.conversation_id)
    return sorted({request.user_id, *others})


def open_key_requests(session: Session, actor: Identity) -> list[OpenKeyRequest]:
    """Return the requests that the actor's device may answer, oldest first and at most 100."""
    mine = select(Participant.conversation_id).where(Participant.user_id == actor.user_id)
    takes_part = select(Participant.user_id).where(
        Participant.conversation_id == KeyRequest.conversation_id, Participant.user_id == Device.user_id
    )
    of_account = and_(
        KeyRequest.conversation_id.is_(None),
        Device.user_id == actor.user_id,
        KeyRequest.created_at > now() - ACCOUNT_REQUEST_LIFE,
    )
    of_conversation = and_(KeyRequest.conversation_id.in_(mine), takes_part.exists())
    requests = (
        select(KeyRequest.id, Device.user_id, KeyRequest.device_id, KeyRequest.conversation_id, KeyRequest.created_at)
        .join(Device, and_(Device.id == KeyRequest.device_id, Device.revoked_at.is_(None)))
        .where(KeyRequest.device_id != actor.device_id, or_(of_account, of_conversation))
        .order_by(KeyRequest.created_at, KeyRequest.id)
        .limit(MAX_PAGE)
    )
    return [OpenKeyRequest(*row) for row in session.execute(requests)]
