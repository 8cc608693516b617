"""Publishing and reading device keys, account keys and key packages."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.services import Services
from famichat.chat.mls.state import require_shared_conversation
from famichat.e2ee.account_key import AccountKey, account_keys_of
from famichat.e2ee.device_keys import DeviceKeys, DeviceKeysRequest, Published, device_keys_of, publish_device_keys
from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_package import publish_key_packages
from famichat.telemetry import emit, events


@dataclass(frozen=True, slots=True)
class UserKeys:
    """The public keys of a user: all versions of the account key, and the devices."""

    accounts: list[AccountKey]
    devices: list[DeviceKeys]


async def publish_keys(services: Services, actor: Identity, request: DeviceKeysRequest) -> Published:
    """Publish the keys of the actor's device. A repeat changes nothing.

    Raises:
        InvalidKeys: see `publish_device_keys`.
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> Published:
        still_signed_in(session, actor)
        return publish_device_keys(session, actor, request)

    published = await services.write(work)
    if published.changed:
        signed = published.account_version is not None
        emit(events.DeviceKeysPublished(user_id=actor.user_id, device_id=actor.device_id, signed=signed))
    return published


async def read_user_keys(services: Services, actor: Identity, user_id: str) -> UserKeys:
    """Return the keys of a user, also of signed-out devices. Pending devices are listed to their own user only.

    Raises:
        NotFound: the actor has no conversation in which the user takes part or has sent messages.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)

    def work(session: Session) -> UserKeys:
        require_shared_conversation(session, actor.user_id, user_id)
        devices = device_keys_of(session, user_id)
        visible = [each for each in devices if each.certificate is not None or user_id == actor.user_id]
        return UserKeys(account_keys_of(session, user_id), visible)

    return await services.read(work)


async def publish_packages(
    services: Services, actor: Identity, packages: Sequence[bytes], last_resort: bytes | None
) -> int:
    """Publish key packages of the actor's device, and return how many can be given out.

    Raises:
        InvalidKeys: the device has published no keys, or see `publish_key_packages`.
        InvalidToken: the device was revoked in the meantime.
        RateLimited: too many requests about keys.
    """
    services.rate_limits.check("keys", actor)

    def work(session: Session) -> int:
        still_signed_in(session, actor)
        keys = session.get(DeviceKeys, actor.device_id)
        if keys is None:
            raise InvalidKeys(reason="key_package")
        return publish_key_packages(session, actor, keys.signature_key, packages, last_resort)

    return await services.write(work)
