"""Change what other people see of a user's activity."""

from sqlalchemy.orm import Session

from famichat.accounts import privacy
from famichat.accounts.privacy import PrivacySettings
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.services import Services


async def change_privacy(
    services: Services,
    actor: Identity,
    *,
    read_receipts: bool | None = None,
    typing_indicators: bool | None = None,
    presence: bool | None = None,
) -> PrivacySettings:
    """Change the actor's privacy settings; they take effect at once, on every node. None keeps a setting.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        read_receipts: whether other people see which messages the actor has read.
        typing_indicators: whether other people see that the actor is typing.
        presence: whether other people see that the actor is online.

    Raises:
        InvalidToken: the device was revoked in the meantime.
    """

    def work(session: Session) -> PrivacySettings:
        still_signed_in(session, actor)
        return privacy.change_privacy(
            session,
            actor.user_id,
            read_receipts=read_receipts,
            typing_indicators=typing_indicators,
            presence=presence,
        )

    settings = await services.write(work)
    if presence is not None:
        services.presence.set_hidden(actor.user_id, hidden=not settings.presence)
    return settings
