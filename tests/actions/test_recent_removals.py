from famichat.actions.recent_removals import REMEMBERED_SECONDS, RecentRemovals


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_whoever_went_is_remembered_for_a_while_and_for_that_conversation_only() -> None:
    clock = Clock()
    departures = RecentRemovals(clock)
    departures.went("emil", "holiday")

    assert departures.just_went("emil", "holiday")
    assert not departures.just_went("emil", "family")
    assert not departures.just_went("maja", "holiday")

    clock.seconds += REMEMBERED_SECONDS
    assert not departures.just_went("emil", "holiday")


def test_whoever_comes_back_hears_again() -> None:
    departures = RecentRemovals()
    departures.went("emil", "holiday")
    departures.came("emil", "holiday")
    departures.came("maja", "holiday")

    assert not departures.just_went("emil", "holiday")


def test_old_departures_take_no_room() -> None:
    clock = Clock()
    departures = RecentRemovals(clock)
    for each in range(5):
        departures.went("emil", str(each))
        clock.seconds += REMEMBERED_SECONDS

    assert len(departures._gone) == 1
