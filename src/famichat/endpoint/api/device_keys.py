"""Device keys, account keys and key packages of end-to-end encryption."""

from pydantic import BaseModel, ConfigDict, Field

from famichat.actions import device_keys as actions
from famichat.e2ee.account_key import AccountKeyRequest
from famichat.e2ee.device_keys import DeviceKeysRequest
from famichat.e2ee.key_package import MAX_PUBLISHED
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.binary import EncodedKeyPackage, Key, Signature

router = api_router("", "encryption")

_MAX_VERSION = 1_000_000


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountKeyPublication(_Request):
    """A version of the account key. `rotation_signature` is that of the previous version."""

    version: int = Field(ge=1, le=_MAX_VERSION)
    public_key: Key
    hpke_key: Key
    rotation_signature: Signature | None = None


class KeysPublication(_Request):
    """The keys of the caller's device. Without a certificate, the device is pending."""

    signature_key: Key
    hpke_key: Key
    certificate: Signature | None = None
    account: AccountKeyPublication | None = None


class PublishedKeys(BaseModel):
    """The version of the account key that signed the device, null for a pending device."""

    account_version: int | None


class AccountKeyView(BaseModel):
    """A version of a user's account key."""

    version: int
    public_key: Key
    hpke_key: Key
    rotation_signature: Signature | None
    created_at: Timestamp


class DeviceKeysView(BaseModel):
    """The keys of a device. `certificate` is null for a pending device, which only its own user sees."""

    device_id: str
    signature_key: Key
    hpke_key: Key
    certificate: Signature | None
    account_version: int | None
    published_at: Timestamp


class UserKeysView(BaseModel):
    """The keys of a user: all versions of the account key, and all devices, also signed-out ones."""

    accounts: list[AccountKeyView]
    devices: list[DeviceKeysView]


class KeyPackagesPublication(_Request):
    """Key packages as MLSMessages. `last_resort` may be used more than once, and replaces the stored one."""

    packages: list[EncodedKeyPackage] = Field(max_length=MAX_PUBLISHED)
    last_resort: EncodedKeyPackage | None = None


class KeyPackageCount(BaseModel):
    """How many key packages of the device can be given out, apart from the last resort."""

    count: int


@router.put("/me/keys", summary="Publish the keys of this device")
async def put_keys(body: KeysPublication, caller: Caller, context: InContext) -> PublishedKeys:
    """Publish the keys of the caller's device; a repeat changes nothing.

    The certificate is verified. Published keys are replaced only together with a certificate.

    Raises:
        InvalidKeys: `reason` says what cannot be accepted.
    """
    account = None
    if body.account is not None:
        account = AccountKeyRequest(
            body.account.version, body.account.public_key, body.account.hpke_key, body.account.rotation_signature
        )
    request = DeviceKeysRequest(body.signature_key, body.hpke_key, body.certificate, account)
    published = await actions.publish_keys(context, caller, request)
    return PublishedKeys(account_version=published.account_version)


@router.get("/users/{user_id}/keys", summary="List the keys of a user")
async def get_user_keys(user_id: str, caller: Caller, context: InContext) -> UserKeysView:
    """List the public keys of a user.

    Raises:
        NotFound: the caller has no conversation in which the user takes part or has sent messages.
    """
    keys = await actions.read_user_keys(context, caller, user_id)
    return UserKeysView(
        accounts=[
            AccountKeyView(
                version=each.version,
                public_key=each.public_key,
                hpke_key=each.hpke_key,
                rotation_signature=each.rotation_signature,
                created_at=each.created_at,
            )
            for each in keys.accounts
        ],
        devices=[
            DeviceKeysView(
                device_id=each.device_id,
                signature_key=each.signature_key,
                hpke_key=each.hpke_key,
                certificate=each.certificate,
                account_version=each.account_version,
                published_at=each.published_at,
            )
            for each in keys.devices
        ],
    )


@router.put("/me/key-packages", summary="Publish key packages of this device")
async def put_key_packages(body: KeyPackagesPublication, caller: Caller, context: InContext) -> KeyPackageCount:
    """Publish key packages, with which others add the caller's device to MLS groups; a repeat changes nothing.

    They are kept until their lifetime ends, at most 30 days.

    Raises:
        InvalidKeys: the device has published no keys, a key package is malformed, expired or not of this device, or
            there are too many.
    """
    return KeyPackageCount(count=await actions.publish_packages(context, caller, body.packages, body.last_resort))
