"""The services of a running server, built once by `famichat.app` and passed to every action."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from famichat.accounts.errors import Unauthorized
from famichat.accounts.sign_in.token import Identity, Tokens, authenticate
from famichat.actions.events.broadcasts import Broadcasts
from famichat.actions.events.topic_feed import TopicFeeds
from famichat.actions.rate_limit import RateLimits
from famichat.attachments.avatars import AvatarMaker
from famichat.attachments.files import Files
from famichat.attachments.signed_url import SignedUrls
from famichat.attachments.uploads import Uploads
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.change_writer import ChangeWriter
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.chat.messages.send import SendPath
from famichat.mail.mailer import Mailer
from famichat.push.notifier import PushNotifier
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.storage.access_removal import access_was_removed
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.database_check import DatabaseCheck
from famichat.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from famichat.accounts.sign_in.webauthn import WebAuthn  # loads a large library

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class MustRunBetweenBatches(RuntimeError):
    """A bug: an action removed access in `Services.write`. It must use `Services.write_between_batches`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server that actions use."""

    database: Database
    database_check: DatabaseCheck
    vault: Vault
    index: BlindIndex
    tokens: Tokens
    webauthn: "Callable[[], Awaitable[WebAuthn]]"
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
    feeds: TopicFeeds
    push_notifier: PushNotifier
    push_key: str
    rate_limits: RateLimits
    tracing: Tracing | None
    setup_code: str | None
    public_url: str
    data_dir: DataDir
    makes_backups: bool
    mailer: Mailer | None

    async def read(
        self,
        function: Callable[Concatenate[Session, _Parameters], _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a function that only reads, on a consistent snapshot: `await services.read(contacts_of, user_id)`.

        Args:
            function: takes a session first, then `args` and `kwargs`.
            *args: passed on.
            **kwargs: passed on.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        return await self.database.read(lambda session: function(session, *args, **kwargs))

    async def write(
        self,
        function: Callable[Concatenate[Session, _Parameters], _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a function in a transaction that may commit beside the journal, and may run more than once.

        For everything that leaves memberships and sign-ins as they are. A transaction that removes access is rolled
        back: see `write_between_batches`.

        Raises:
            MustRunBetweenBatches: the transaction removed access (`storage.access_removal`); nothing is committed.
            StorageUnavailable: the database did not answer, or could not store it.
        """

        def work(session: Session) -> _Result:
            result = function(session, *args, **kwargs)
            if access_was_removed(session):
                raise MustRunBetweenBatches
            return result

        return await self.database.transaction(work)

    async def write_with_reserve(
        self,
        function: Callable[Concatenate[Session, _Parameters], _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a function that signs a user in, like `write`. On a full disk it uses space that is reserved for this.

        Raises:
            StorageUnavailable: the database did not answer, or the reserved space is used up, too.
        """
        return await self.database.transaction_with_reserve(lambda session: function(session, *args, **kwargs))

    async def write_between_batches(
        self,
        function: Callable[Concatenate[Session, _Parameters], _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a function in a transaction between two batches of the journal.

        For every change of membership, every sign-out and the deletion of an account. Until the caller awaits again
        after this returns, no message is announced that was committed later. So if the caller broadcasts the removal
        at once, the removed person receives no message from after the removal.

        Raises:
            StorageUnavailable: the database did not answer, or could not store it.
        """
        return await self.database.between_batches(lambda session: function(session, *args, **kwargs))

    async def identify(self, token: str | None) -> Identity:
        """Return the user and device that an access token identifies.

        Raises:
            Unauthorized: there is no token.
            InvalidToken: the token is malformed, expired or revoked; the reason is not revealed.
            StorageUnavailable: the database did not answer, so the token cannot be checked.
        """
        if not token:
            raise Unauthorized
        claims = self.tokens.read(token)
        return await self.database.read_for_authentication(lambda session: authenticate(session, claims))
