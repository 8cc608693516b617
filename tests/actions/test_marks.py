"""Who learns of a marked message."""

from famichat.actions.marks import list_marks, set_mark, set_pin
from famichat.actions.messages import post_message
from tests.support.services import RunningServices, identity


async def test_all_members_learn_of_a_pin_and_only_the_user_of_a_star(running: RunningServices) -> None:
    home, direct, services = running.home, running.talks.direct, running.services
    view, _ = await post_message(services, identity(home.maja), direct, {"body": "hej"})
    people = (home.maja, home.emil)
    before = [running.events(who.user_id).count("marks_changed") for who in people]
    assert before == [0, 0]

    await set_pin(services, identity(home.emil), direct, view["message_id"], pinned=True)
    assert [running.events(who.user_id).count("marks_changed") for who in people] == [1, 1]
    await set_pin(services, identity(home.maja), direct, view["message_id"], pinned=True)
    assert [running.events(who.user_id).count("marks_changed") for who in people] == [1, 1], "it was pinned"
    await set_mark(services, identity(home.maja), direct, view["message_id"], "hidden", marked=True)
    assert [running.events(who.user_id).count("marks_changed") for who in people] == [2, 1]
    marked = await list_marks(services, identity(home.maja), direct)
    assert marked["hidden"] == [view["seq"]]
    await set_mark(services, identity(home.maja), direct, view["message_id"], "hidden", marked=False)
    await set_pin(services, identity(home.maja), direct, view["message_id"], pinned=False)
    assert [running.events(who.user_id).count("marks_changed") for who in people] == [4, 2]
