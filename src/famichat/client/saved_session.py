"""A session and the file that stores it. The file is readable by its owner only, and replaced atomically."""

import asyncio
import fcntl
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from famichat.client.errors import SessionDamaged


@dataclass(frozen=True, slots=True)
class Session:
    """The tokens of a signed-in device.

    Attributes:
        url: the server's base URL, without a trailing slash.
        access_token: bearer token for requests and sockets; valid for 15 minutes.
        refresh_token: exchanged for the next pair of tokens. Without it, the session ends with its access
            token.
        user_id: the signed-in user.
        username: the name that this user signs in with.
    """

    url: str
    access_token: str
    refresh_token: str | None = None
    user_id: str | None = None
    username: str | None = None


class SavedSession:
    """A session in a file. Several processes may share the file: `locked` serializes token refreshes between them.

    Args:
        path: the file. Its directory is created with mode 0700 if it does not exist.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def load(self) -> Session | None:
        """Read the session; None if the file does not exist.

        Raises:
            SessionDamaged: the file does not contain a session.
        """
        try:
            return Session(**json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise SessionDamaged(f"{self.path} is damaged. Sign in again") from None

    def save(self, session: Session) -> None:
        """Write the session to disk before returning. Readers see the old file or the new one, never a part."""
        self._make_directory()
        draft = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(session), file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._sync_directory()

    def forget(self) -> None:
        """Delete the file, if it exists."""
        self.path.unlink(missing_ok=True)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the lock that protects a token refresh from refreshes by other processes."""
        self._make_directory()
        with self.path.with_suffix(".lock").open("a") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            yield  # closing the file releases the lock

    def _make_directory(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
