"""The Python client of Famichat's protocol, for bots, the terminal client and tests; see `docs/bots.md`.

It imports nothing of the server, so a program that uses it starts quickly.
"""

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
