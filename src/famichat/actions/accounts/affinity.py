"""Keeps the devices of a family on one node, if the load balancer hashes the affinity of their users."""

import hashlib
from contextlib import suppress

from sqlalchemy.orm import Session

from famichat.actions.services import Services
from famichat.chat.families.family import families_of
from famichat.storage.errors import StorageUnavailable


async def affinity_of(services: Services, user_id: str) -> str | None:
    """Return one of 256 values, the same for the members of a family, which says little about the family.

    Returns:
        two hexadecimal digits; None without a family, or if this server cannot be one of several.
    """
    if services.database.dialect == "sqlite":
        return None
    family_id = None
    with suppress(StorageUnavailable):  # the sign-in itself has succeeded
        family_id = await services.read(_first_family, user_id)
    return None if family_id is None else hashlib.sha256(f"famichat affinity{family_id}".encode()).hexdigest()[:2]


def _first_family(session: Session, user_id: str) -> str | None:
    return next((family.family_id for family in families_of(session, user_id)), None)
