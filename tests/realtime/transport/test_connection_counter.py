from famichat.realtime.transport.connection_counter import ConnectionCounter


def test_the_limit_applies_per_address() -> None:
    crowd = ConnectionCounter(2)
    crowd.enter("a")
    crowd.enter("a")

    assert crowd.is_full("a")
    assert not crowd.is_full("b")


def test_a_closed_connection_frees_its_slot_and_leaves_no_state() -> None:
    crowd = ConnectionCounter(1)
    for _ in range(3):
        crowd.enter("a")
        crowd.leave("a")

    assert not crowd.is_full("a")
    assert len(crowd._open) == 0
