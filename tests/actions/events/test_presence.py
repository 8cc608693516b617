import pytest
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.actions.events.presence import hides_presence, shows_typing
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.errors import NotFound
from tests.support.services import RunningServices, identity


async def test_presence_and_typing_are_shown_unless_the_user_turns_them_off(running: RunningServices) -> None:
    services, actor = running.services, identity(running.home.emil)
    topic = ConversationTopic("direct", running.talks.direct)
    assert (await hides_presence(services, actor), await shows_typing(services, actor, topic)) == (False, True)

    def turn_off(session: Session) -> None:
        user = session.get_one(User, actor.user_id)
        user.presence_notices = user.typing_notices = False

    await services.write(turn_off)
    assert (await hides_presence(services, actor), await shows_typing(services, actor, topic)) == (True, False)


async def test_an_outsider_cannot_type(running: RunningServices) -> None:
    topic = ConversationTopic("direct", running.talks.direct)
    with pytest.raises(NotFound):
        await shows_typing(running.services, identity(running.home.ada), topic)
