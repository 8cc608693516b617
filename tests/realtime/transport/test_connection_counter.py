from famichat.realtime.transport.connection_counter import ConnectionCounter


def test_so_many_of_one_address_come_in_and_others_are_not_concerned() -> None:
    crowd = ConnectionCounter(2)
    crowd.enter("a")
    crowd.enter("a")

    assert crowd.is_full("a")
    assert not crowd.is_full("b")


def test_whoever_leaves_makes_room_and_nobody_is_remembered() -> None:
    crowd = ConnectionCounter(1)
    for _ in range(3):
        crowd.enter("a")
        crowd.leave("a")

    assert not crowd.is_full("a")
    assert len(crowd._open) == 0
