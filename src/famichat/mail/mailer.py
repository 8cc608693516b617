"""Composes and sends e-mail in the background, so that no response depends on the account."""

import asyncio
import smtplib
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage

from famichat.errors import FamichatError
from famichat.mail.smtp import SmtpServer
from famichat.mail.texts import Language, Purpose, compose
from famichat.storage.errors import StorageError
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

MAX_WAITING = 100
_EXPECTED = (OSError, smtplib.SMTPException, FamichatError, StorageError)


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail with a link: its purpose and language, the recipient's address and name, and the link."""

    purpose: Purpose
    language: Language
    to: str
    name: str
    url: str


class Mailer:
    """Sends one e-mail after the other.

    Args:
        server: the SMTP server.
        app: the name of this server, for the subjects.
    """

    def __init__(self, server: SmtpServer, app: str) -> None:
        self._server = server
        self._app = app
        self._waiting: deque[Callable[[], Awaitable[Letter | None]]] = deque()
        self._wake = asyncio.Event()
        # Not the default executor, which uploads use: a slow SMTP server must not delay them.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail")

    def enqueue(self, write: Callable[[], Awaitable[Letter | None]]) -> None:
        """Queue an e-mail, which is written when it is its turn. If 100 are waiting, it is dropped and reported.

        Args:
            write: returns the e-mail; None to send nothing.
        """
        if len(self._waiting) >= MAX_WAITING:
            emit(events.MailFailed(error_type="QueueFull"))
            return
        self._waiting.append(write)
        self._wake.set()

    async def run(self) -> None:
        """Send the queued e-mail, until cancelled."""
        while True:
            while self._waiting:
                await self._send(self._waiting.popleft())
            self._wake.clear()
            await self._wake.wait()

    def close(self) -> None:
        """Release the thread, without waiting for an SMTP server."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _send(self, write: Callable[[], Awaitable[Letter | None]]) -> None:
        try:
            letter = await write()
            if letter is None:
                return
            await asyncio.get_running_loop().run_in_executor(self._thread, self._server.send, self._message(letter))
        except Exception as error:  # noqa: BLE001 - a bug that one e-mail meets must not delay the others
            if not isinstance(error, _EXPECTED):
                report_crash("e-mail", error)
            # Neither the text of the error, which may quote an address, nor the address.
            emit(events.MailFailed(error_type=type(error).__name__))

    def _message(self, letter: Letter) -> EmailMessage:
        return compose(
            letter.purpose,
            letter.language,
            app=self._app,
            sender=self._server.sender,
            to=letter.to,
            name=letter.name,
            url=letter.url,
        )
