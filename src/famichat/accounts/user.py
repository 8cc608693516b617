"""A person with an account.

The e-mail address is sealed; `email_index`, a keyed hash, makes it unique without being readable. `username_key` is
the folded form of the username, so that no two people can have names that look alike.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, PrimaryKey, Updated

MAX_USERNAME = 32


class User(Base):
    """One person. Tokens are kept as SHA-256 hashes; what was sent out is never stored."""

    __tablename__ = "accounts_users"
    __table_args__ = (
        CheckConstraint(f"length(username) BETWEEN 1 AND {MAX_USERNAME}", name="username_length"),
        CheckConstraint("length(username_key) BETWEEN 1 AND 128", name="username_key_length"),
    )

    id: Mapped[PrimaryKey]
    username: Mapped[str] = mapped_column(String(MAX_USERNAME))
    username_key: Mapped[str] = mapped_column(String(128), unique=True)
    email: Mapped[bytes | None] = mapped_column(LargeBinary)
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    confirmed_at: Mapped[datetime | None]
    confirmation_token: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    reset_token: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    reset_token_sent_at: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    inserted_at: Mapped[Created]
    updated_at: Mapped[Updated]
