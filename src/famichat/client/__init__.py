"""The Python client of Famichat's protocol, for bots, the terminal client and tests; see `docs/bots.md`.

It imports nothing of the server. Names are imported when they are first used: `famichat send` needs HTTP only, and the
WebSocket library would add a quarter to the CPU time of its start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from famichat.client.client import Client
    from famichat.client.conversation import Conversation, Event, Position
    from famichat.client.errors import (
        Ambiguous,
        ClientError,
        Disconnected,
        Refused,
        SessionDamaged,
        SignedOut,
        Unreachable,
    )
    from famichat.client.http import sign_in
    from famichat.client.message import Message, Sent
    from famichat.client.saved_session import SavedSession, Session

__all__ = [
    "Ambiguous",
    "Client",
    "ClientError",
    "Conversation",
    "Disconnected",
    "Event",
    "Message",
    "Position",
    "Refused",
    "SavedSession",
    "Sent",
    "Session",
    "SessionDamaged",
    "SignedOut",
    "Unreachable",
    "sign_in",
]

_MODULES: Final = {
    "Client": "client",
    "Conversation": "conversation",
    "Event": "conversation",
    "Position": "conversation",
    "sign_in": "http",
    "Message": "message",
    "Sent": "message",
    "SavedSession": "saved_session",
    "Session": "saved_session",
}
"""The module of each name; errors are the rest."""


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
