"""The services of a running server, built once by `famichat.app` and passed to every action."""

from dataclasses import dataclass

from famichat.accounts.errors import InvalidToken
from famichat.accounts.sign_in.token import Identity, Tokens, authenticate
from famichat.accounts.sign_in.webauthn import WebAuthn
from famichat.actions.broadcasts import Broadcasts
from famichat.actions.rate_limit import RateLimits
from famichat.attachments.avatars import AvatarMaker
from famichat.attachments.files import Files
from famichat.attachments.signed_url import SignedUrls
from famichat.attachments.uploads import Uploads
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.change_writer import ChangeWriter
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.chat.messages.send import SendPath
from famichat.push.notifier import PushNotifier
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.database import Database
from famichat.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server that actions use."""

    database: Database
    vault: Vault
    index: BlindIndex
    tokens: Tokens
    webauthn: WebAuthn
    policies: EncryptionPolicies
    send_path: SendPath
    changes: ChangeWriter
    receipts: ReceiptWriter
    uploads: Uploads
    files: Files
    avatar_maker: AvatarMaker
    signed_urls: SignedUrls
    pubsub: PubSub
    presence: Presence
    broadcasts: Broadcasts
    push_notifier: PushNotifier
    push_key: str
    rate_limits: RateLimits
    tracing: Tracing | None
    setup_code: str | None
    public_url: str

    async def identify(self, token: str | None) -> Identity:
        """Return the user and device that an access token identifies.

        Raises:
            InvalidToken: the token is missing, malformed, expired or revoked; the reason is not revealed.
            StorageUnavailable: the database did not answer, so the token cannot be checked.
        """
        if not token:
            raise InvalidToken
        claims = self.tokens.read(token)
        return await self.database.read(lambda session: authenticate(session, claims))
