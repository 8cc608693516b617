"""What a user lets others see while online: presence and typing."""

from sqlalchemy.orm import Session

from famichat.accounts.privacy import privacy_of
from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.access import conversation_for


async def hides_presence(services: Services, actor: Identity) -> bool:
    """Return whether the actor has turned presence off."""

    def work(session: Session) -> bool:
        return not privacy_of(session, actor.user_id).presence

    return await services.read(work)


async def shows_typing(services: Services, actor: Identity, topic: ConversationTopic) -> bool:
    """Return whether the other members receive the actor's typing events, or only the actor's own devices do.

    Raises:
        NotFound: the actor is not a member of such a conversation, or its device is signed out.
        RateLimited: too many typing events.
    """
    services.rate_limits.check("typing", actor)

    def work(session: Session) -> bool:
        conversation_for(session, actor.user_id, topic.conversation_id, topic.type, device_id=actor.device_id)
        return privacy_of(session, actor.user_id).typing_indicators

    return await services.read(work)
