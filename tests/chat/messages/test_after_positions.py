"""What follows the positions of several conversations, with as many statements as for one."""

from famichat.chat.messages.after_positions import Position, after_positions, messages_at
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household
from tests.factories.talk import group_of, say


def test_the_messages_after_a_position_are_returned_in_order(database: Database, household: Household) -> None:
    one, other = (database.run(lambda s: group_of(s, household)) for _ in range(2))
    for conversation_id in (one, other):
        database.run(lambda s, id_=conversation_id: say(s, id_, household.maja, "a", "b", "c"))  # type: ignore[misc]
    positions = {one: Position(1, 0), other: Position(3, 0)}
    found = database.run_read(lambda s: after_positions(s, positions, VAULT))
    at = database.run_read(lambda s: messages_at(s, [(one, 3), (other, 1)], VAULT))

    assert [(each["seq"], each["body"]) for each in found[one].messages] == [(2, "b"), (3, "c")]
    assert (found[other].messages, found[one].changes, found[one].has_more) == ([], [], False)
    assert sorted(str(each["body"]) for each in at) == ["a", "c"]
