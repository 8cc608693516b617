"""User accounts.

The e-mail address is encrypted; `email_index`, a keyed hash, makes it unique without revealing it. `username_key` and
`username_look` are folded forms of the username, so that no two users have names that read or look alike.
`names/taken_names.py` compares them with display names, in each family. Profiles are in `profile.py`.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, Self, get_args

from sqlalchemy import CheckConstraint, LargeBinary, String, and_, exists, or_, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat import typed_text
from famichat.accounts.errors import EmailTaken, InvalidEmail, InvalidUsername, UsernameTaken
from famichat.accounts.names.display_name import MAX_DISPLAY_NAME
from famichat.accounts.names.email_address import Email, parse_email
from famichat.accounts.names.taken_names import TakenName
from famichat.accounts.names.username import MAX_FOLDED, MAX_USERNAME, Username, parse_username
from famichat.storage.base import Base, Created, PrimaryKey, Updated, new_id
from famichat.storage.checksum import Checked
from famichat.storage.crypto.sealed_columns import sealed_as
from famichat.storage.crypto.vault import BlindIndex, Vault

EMAIL = "email"
"""The purpose that e-mail addresses are encrypted and indexed for."""

SUGGESTIONS = 3
"""How many free usernames the server suggests instead of a taken one."""
_SUGGESTED_DIGITS = 3
_CLEAR_DIGITS = "23456789"  # 0 and 1 look like letters

Color = Literal["clay", "honey", "moss", "pine", "sea", "iris", "plum", "rose"]
COLORS: tuple[Color, ...] = get_args(Color)
"""The profile colors. Clients choose the shades, for their light and dark themes."""


class User(Checked, Base):
    """A user account. Tokens are stored as SHA-256 hashes. The `*_notices` columns are documented in `privacy.py`.

    A deleted account (`account_deletion.py`) keeps only its id, so the username and the password can be NULL here. They
    are present for every user found by a name, a token or a membership.
    """

    __tablename__ = "accounts_users"
    unchecked: ClassVar = frozenset(
        {
            "confirmed_at",
            "confirmation_token",
            "reset_token",
            "reset_token_sent_at",
            "last_login_at",
            "read_notices",
            "typing_notices",
            "presence_notices",
        }
    )
    __table_args__ = (
        CheckConstraint(f"length(username) BETWEEN 1 AND {MAX_USERNAME}", name="username_length"),
        CheckConstraint(f"length(username_key) BETWEEN 1 AND {MAX_FOLDED}", name="username_key_length"),
        CheckConstraint(f"length(username_look) BETWEEN 1 AND {MAX_FOLDED}", name="username_look_length"),
        CheckConstraint("length(password_hash) BETWEEN 1 AND 255", name="password_hash_length"),
        CheckConstraint("(email IS NULL) = (email_index IS NULL)", name="email_pair"),
        CheckConstraint(
            "deleted_at IS NOT NULL OR (username IS NOT NULL AND username_key IS NOT NULL "
            "AND username_look IS NOT NULL AND password_hash IS NOT NULL)",
            name="living",
        ),
        CheckConstraint(
            "deleted_at IS NULL OR (username IS NULL AND username_key IS NULL AND username_look IS NULL "
            "AND password_hash IS NULL AND email IS NULL AND confirmation_token IS NULL AND reset_token IS NULL)",
            name="deleted",
        ),
        CheckConstraint(f"length(display_name) BETWEEN 1 AND {MAX_DISPLAY_NAME}", name="display_name_length"),
        CheckConstraint(f"color IN ({', '.join(map(repr, COLORS))})", name="color"),
        CheckConstraint("deleted_at IS NULL OR (display_name IS NULL AND color IS NULL)", name="deleted_profile"),
    )

    id: Mapped[PrimaryKey]
    username: Mapped[str] = mapped_column(String(MAX_USERNAME), nullable=True)
    username_key: Mapped[str] = mapped_column(String(MAX_FOLDED), nullable=True, unique=True)
    username_look: Mapped[str] = mapped_column(String(MAX_FOLDED), nullable=True, unique=True)
    display_name: Mapped[str | None] = mapped_column(String(MAX_DISPLAY_NAME))
    color: Mapped[Color | None] = mapped_column(String(16))
    email: Mapped[bytes | None] = mapped_column(LargeBinary, info=sealed_as(EMAIL, lambda user: user.id))
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255), nullable=True)
    confirmed_at: Mapped[datetime | None]
    confirmation_token: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    reset_token: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    reset_token_sent_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    read_notices: Mapped[bool] = mapped_column(default=True)
    typing_notices: Mapped[bool] = mapped_column(default=True)
    presence_notices: Mapped[bool] = mapped_column(default=True, server_default=true())
    deleted_at: Mapped[datetime | None]
    inserted_at: Mapped[Created]
    updated_at: Mapped[Updated]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The validated username and e-mail address of a new account."""

    username: Username
    email: Email | None

    @classmethod
    def parse(cls, username: str, email: str | None) -> Self:
        """Validate what a user typed. The e-mail address is optional: a child may have none.

        Raises:
            InvalidUsername: the username is not allowed.
            InvalidEmail: this is not an e-mail address.
        """
        return cls(parse_username(username), None if email is None else parse_email(email))

    @property
    def names(self) -> tuple[str, ...]:
        """The username and the e-mail address, which are not allowed as a password."""
        return (self.username.shown,) if self.email is None else (self.username.shown, self.email.written)


def register(session: Session, newcomer: Newcomer, password_hash: str, vault: Vault, index: BlindIndex) -> User:
    """Create an account.

    Args:
        session: the transaction.
        newcomer: the username and the e-mail address.
        password_hash: from `password.hash_password`, computed before the transaction began.
        vault: encrypts the e-mail address.
        index: makes the e-mail address unique.

    Raises:
        UsernameTaken: another user has this username, or one that looks like it.
        EmailTaken: an account with this e-mail address exists.
    """
    user = User(
        id=new_id(),
        username=newcomer.username.shown,
        username_key=newcomer.username.key,
        username_look=newcomer.username.look,
        password_hash=password_hash,
    )
    session.add(user)
    set_email(session, user, newcomer.email, vault, index)
    return user


def set_email(session: Session, user: User, email: Email | None, vault: Vault, index: BlindIndex) -> None:
    """Set or remove a user's e-mail address. The new one is not confirmed, and e-mail sent earlier becomes invalid.

    Args:
        session: the transaction.
        user: the user.
        email: the address; None to remove it.
        vault: encrypts it.
        index: makes it unique.

    Raises:
        EmailTaken: another account has this address.
        UsernameTaken: the user is new, and another one has this username, or one that looks like it.
    """
    user.email = None if email is None else vault.seal(EMAIL, email.written.encode(), user.id)
    user.email_index = None if email is None else index.digest(EMAIL, email.key)
    user.confirmed_at = user.confirmation_token = user.reset_token = user.reset_token_sent_at = None
    try:
        session.flush()
    except IntegrityError as error:
        raise _taken_error(error) from error


def free_usernames(session: Session, wanted: Username, family_id: str | None) -> list[str]:
    """Return `SUGGESTIONS` usernames that are similar to a taken one and free, for a user who may join a family.

    The digits are random: if they were consecutive, a gap would reveal the username of another user.
    """
    free: list[str] = []
    while len(free) < SUGGESTIONS:
        digits = "".join(secrets.choice(_CLEAR_DIGITS) for _ in range(_SUGGESTED_DIGITS))
        name = parse_username(wanted.shown[: MAX_USERNAME - _SUGGESTED_DIGITS].rstrip() + digits)
        same = or_(User.username_key == name.key, User.username_look == name.look)
        in_family = and_(TakenName.family_id == family_id, TakenName.name.in_((name.key, name.look)))
        if name.shown not in free and not session.scalar(select(exists().where(same) | exists().where(in_family))):
            free.append(name.shown)
    return free


def find_user(session: Session, name_or_email: str, index: BlindIndex) -> User | None:
    """Return the user with this username or e-mail address, compared in folded form; None if there is none."""
    try:
        if "@" in name_or_email:
            email = parse_email(name_or_email)
            # Former versions stored a domain in Punycode as a different key.
            forms = [
                User.email_index == index.digest(EMAIL, key) for key in (email.key, typed_text.fold(email.written))
            ]
        else:
            forms = [User.username_key == parse_username(name_or_email).key]
    except (InvalidUsername, InvalidEmail):
        return None  # no account can have an invalid name
    found = (session.execute(select(User).where(form)).scalar_one_or_none() for form in forms)
    return next((user for user in found if user is not None), None)


def email_of(user: User, vault: Vault) -> str | None:
    """Return a user's decrypted e-mail address, for that user only.

    Raises:
        UnsealError: it was damaged, or copied from another row.
    """
    return None if user.email is None else vault.open(EMAIL, user.email, user.id).decode()


def _taken_error(error: IntegrityError) -> Exception:
    # The first line names the column (SQLite) or the constraint (PostgreSQL); later lines may contain user input.
    first_line = str(error.orig).partition("\n")[0]
    if "email_index" in first_line:
        return EmailTaken()
    if "username_key" in first_line or "username_look" in first_line:
        return UsernameTaken()
    return error
