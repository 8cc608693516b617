"""Where the terminal client keeps who is signed in: `~/.config/famichat/session.json`, for its owner only."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from famichat.cli.refusal import Refused


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in at a server. Without a refresh token it ends with its access token."""

    url: str
    access_token: str
    refresh_token: str | None = None
    user_id: str | None = None
    username: str | None = None


class SavedSession:
    """The file in which the sign-in is kept.

    Args:
        path: the file; by default where the user's other programs keep theirs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_this_user(cls) -> Self:
        """Where the user's other programs keep theirs (XDG base directories)."""
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return cls(Path(home) / "famichat" / "session.json")

    def load(self) -> SignedIn | None:
        """Who is signed in.

        Raises:
            Refused: the file cannot be understood.
        """
        try:
            return SignedIn(**json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise Refused("session_damaged", f"{self.path} is damaged. Sign in again with `famichat login`") from None

    def save(self, session: SignedIn) -> None:
        """Keep who is signed in: the file is there whole, and readable to nobody else at any moment."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(session), file)
        draft.replace(self.path)

    def forget(self) -> None:
        """Be signed in as nobody."""
        self.path.unlink(missing_ok=True)

    def renew(self, known: SignedIn, exchange: Callable[[SignedIn], SignedIn]) -> SignedIn:
        """Exchange the tokens for new ones, unless another terminal just did: a refresh token works only once.

        Args:
            known: the session whose access token has expired.
            exchange: asks the server.
        """
        with self._alone():
            kept = self.load()
            if kept is not None and kept.url == known.url and kept.access_token != known.access_token:
                return kept
            renewed = exchange(known)
            self.save(renewed)
            return renewed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
