"""The family that tests share: the Sundqvists, and Ada, an outsider.

Maja is their admin, Emil a member, Inga his mother, Nils the child. Ada Okafor belongs to another family and shares
nothing with them. Each has one device.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.accounts.user import Newcomer, register
from famichat.chat.families.family import create_family
from famichat.chat.families.membership import add_member
from famichat.chat.records.family import FamilyRole
from famichat.storage.crypto.vault import KEY_BYTES, BlindIndex, Vault

SECRET = "a secret of the tests, and of nobody else"
VAULT = Vault({1: b"\x07" * KEY_BYTES})
INDEX = BlindIndex(SECRET)

PASSWORD = "knäckebröd med ost"
# Argon2id of PASSWORD at the lowest cost, so that a sign-in in a test takes no time.
PASSWORD_HASH = "$argon2id$v=19$m=8,t=1,p=1$TgN15ZVd7qViOonVHkaQJg$4S+QuGAFTrPVL8HieLVyH6uJ3ZrT1XSsM/U+lsLMq8s"


@dataclass(frozen=True, slots=True)
class Person:
    """A user with one device."""

    user_id: str
    device_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Household:
    """The Sundqvist family and the outsider."""

    family_id: str
    other_family_id: str
    maja: Person
    emil: Person
    inga: Person
    nils: Person
    ada: Person

    @property
    def everyone(self) -> tuple[Person, ...]:
        """The four Sundqvists, the admin first."""
        return (self.maja, self.emil, self.inga, self.nils)


def household(session: Session) -> Household:
    """Create both families."""
    maja, emil, inga, nils, ada = (person(session, name) for name in ("maja", "emil", "inga", "nils", "ada"))
    sundqvist = create_family(session, "Sundqvist", maja.user_id)
    okafor = create_family(session, "Okafor", ada.user_id)
    for each in (emil, inga, nils):
        join(session, sundqvist.id, each)
    return Household(sundqvist.id, okafor.id, maja, emil, inga, nils, ada)


def person(session: Session, username: str) -> Person:
    """Create a user with one device and an address at example.org, without a family."""
    newcomer = Newcomer.parse(username, f"{username}@example.org")
    user = register(session, newcomer, PASSWORD_HASH, VAULT, INDEX)
    device = add_device(session, user.id, f"{username}'s phone")
    return Person(user.id, device.id, user.username)


def join(session: Session, family_id: str, who: Person, role: FamilyRole = "member") -> None:
    """Add a user to a family."""
    add_member(session, family_id, who.user_id, role)
