"""What the server's operator looks up: users, families and totals; and the end of a vault key."""

from importlib.metadata import version
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.user import User, find_user
from famichat.actions.services import Services
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import Family
from famichat.storage.base import is_id
from famichat.storage.crypto.vault_keys import Retirement, retire, values_of_key


async def find_user_by_operator(services: Services, name_or_email: str) -> User | None:
    """Return the user with this username or e-mail address; None if there is none."""
    return await services.read(find_user, name_or_email, services.index)


async def find_families_by_operator(services: Services, name_or_id: str) -> list[str]:
    """Return the ids of the families with this name or id. Several families can have the same name."""

    def work(session: Session) -> list[str]:
        same = Family.name == name_or_id
        matching = or_(same, Family.id == name_or_id) if is_id(name_or_id) else same
        return list(session.execute(select(Family.id).where(matching).order_by(Family.id)).scalars())

    return await services.read(work)


async def statistics(services: Services) -> dict[str, Any]:
    """Return how much this server holds. The number of messages includes deleted ones, whose rows remain."""

    def work(session: Session) -> dict[str, int]:
        counts = {
            "users": select(func.count()).select_from(User).where(User.deleted_at.is_(None)),
            "families": select(func.count()).select_from(Family),
            "devices": select(func.count()).select_from(Device).where(Device.revoked_at.is_(None)),
            "conversations": select(func.count()).select_from(Conversation),
            # Messages are numbered without gaps; counting their rows would read the largest index.
            "messages": select(func.coalesce(func.sum(Conversation.last_seq), 0)),
        }
        return {name: int(session.execute(count).scalar_one()) for name, count in counts.items()}

    return {"release": version("famichat"), **await services.read(work)}


async def retire_vault_key_by_operator(services: Services, version: int) -> tuple[Retirement, int]:
    """Delete a vault key from the database and from memory, if it encrypts no stored value. Its file is the caller's.

    Returns:
        The outcome, and how many values the key still encrypts.
    """
    # Counted before the transaction, which would hold up messages. Once a rotation has finished, no process encrypts
    # with an older key, so the count cannot grow.
    left = await services.read(values_of_key, version)
    if left:
        return "in_use", left
    outcome = await services.write(retire, version)
    if outcome == "retired":
        services.vault.retire(version)
    return outcome, 0
