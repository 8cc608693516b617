"""What every door needs, built once by `famichat.app.server` and handed in."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from famichat.accounts.errors import InvalidToken
from famichat.accounts.sign_in.token import Identity, Tokens, authenticate
from famichat.accounts.sign_in.webauthn import Ceremonies
from famichat.actions.broadcasts import Announcements
from famichat.actions.rate_limit import RateLimits
from famichat.attachments.avatars import Portraits
from famichat.attachments.files import Files
from famichat.attachments.signed_url import Addresses
from famichat.attachments.uploads import Uploads
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.messages.change_writer import Changes
from famichat.chat.messages.receipt_writer import Receipts
from famichat.chat.messages.send import SendPath
from famichat.endpoint.http.proxies import Proxies
from famichat.endpoint.pages.brand import Brand
from famichat.push.notifier import Pushes
from famichat.realtime.presence import Presence
from famichat.realtime.pubsub import PubSub
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.telemetry.metrics import Metrics
from famichat.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a running server, for its doors."""

    database: Database
    vault: Vault
    index: BlindIndex
    tokens: Tokens
    ceremonies: Ceremonies
    policies: EncryptionPolicies
    send_path: SendPath
    changes: Changes
    receipts: Receipts
    uploads: Uploads
    files: Files
    portraits: Portraits
    addresses: Addresses
    pubsub: PubSub
    presence: Presence
    announcements: Announcements
    pushes: Pushes
    push_key: str
    rate_limits: RateLimits
    proxies: Proxies
    metrics: Metrics
    tracing: Tracing | None
    setup_code: str | None
    public_url: str
    test_endpoints: bool
    metrics_token: str | None
    data_dir: DataDir
    brand: Brand

    async def identify(self, token: str | None) -> Identity:
        """Say who holds an access token.

        Raises:
            InvalidToken: nobody does; the same for every reason.
            StorageUnavailable: the database did not answer, so nobody is let in.
        """
        if not token:
            raise InvalidToken
        claims = self.tokens.read(token)
        return await self.database.read(lambda session: authenticate(session, claims))


def context_of(request: Request) -> Context:
    """The context of the application that serves this request."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]
_bearer = HTTPBearer(auto_error=False, description="An access token, from POST /api/v1/sessions.")


async def caller(
    request: Request, context: InContext, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Who makes this request.

    Raises:
        InvalidToken: the bearer token is missing, malformed, expired or revoked.
        RateLimited: this device asks too much, whatever it asks.
    """
    identity = await context.identify(credentials.credentials if credentials else None)
    request.state.user_id = identity.user_id  # for whoever notes a refusal
    context.rate_limits.check("request", identity)
    return identity


Caller = Annotated[Identity, Depends(caller)]
