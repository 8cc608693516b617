"""The table of receipts."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Id, Updated


class Receipt(Base):
    """The receipts of one device in one conversation: two cumulative positions (`seq`) that only advance.

    All messages up to `delivered_seq` were received, those up to `read_seq` were read; reading implies receiving.
    Those up to `attended_seq` were acknowledged while the app was in the foreground, so this device needs no
    notification of them. Other users never see this position.
    """

    __tablename__ = "message_receipts"
    __table_args__ = (CheckConstraint("0 <= read_seq AND read_seq <= delivered_seq", name="order"),)

    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True
    )
    device_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    delivered_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    read_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    attended_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    updated_at: Mapped[Updated]
