"""A real SMTP server, which keeps what it receives."""

import asyncio
import email
import email.policy
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, SECRET = "famichat@example.org", "a secret: with /?#@ in it"


class MailServer:
    """Accepts e-mail on a port of this machine.

    Attributes:
        port: its port.
        received: the messages, in order.
        refuses: whether it refuses every message.
    """

    def __init__(self) -> None:
        self.port = 0
        self.refuses = False
        self.received: asyncio.Queue[EmailMessage] = asyncio.Queue()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it
        """Keep a message."""
        if self.refuses:
            return "550 Refused"
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.put_nowait(message)
        return "250 OK"

    async def next(self) -> EmailMessage:
        """Wait for the next message."""
        async with asyncio.timeout(10):
            return await self.received.get()


@asynccontextmanager
async def mail_server(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, sign_in: bool = False
) -> AsyncIterator[MailServer]:
    """Run an SMTP server for as long as the block runs.

    Args:
        starttls: offer STARTTLS with this certificate.
        tls: expect TLS from the first byte.
        sign_in: require USER and SECRET.
    """
    server = MailServer()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # aiosmtpd does not see the TLS of the port, and a server on this machine needs none.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return SMTP(
                server,
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=sign_in,
                auth_require_tls=False,
                authenticator=_authenticate if sign_in else None,
                loop=asyncio.get_running_loop(),
            )

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def _authenticate(*arguments: object) -> AuthResult:
    given = arguments[-1]
    known = LoginPassword(USER.encode(), SECRET.encode())
    return AuthResult(success=given == known, handled=False)
