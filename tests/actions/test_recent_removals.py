from famichat.actions.recent_removals import REMEMBERED_SECONDS, RecentRemovals


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_whoever_went_is_remembered_for_a_while_and_for_that_conversation_only() -> None:
    clock = Clock()
    removals = RecentRemovals(clock)
    removals.add("emil", "holiday")

    assert ("emil", "holiday") in removals
    assert ("emil", "family") not in removals
    assert ("maja", "holiday") not in removals

    clock.seconds += REMEMBERED_SECONDS
    assert ("emil", "holiday") not in removals


def test_whoever_comes_back_hears_again() -> None:
    removals = RecentRemovals()
    removals.add("emil", "holiday")
    removals.discard("emil", "holiday")
    removals.discard("maja", "holiday")

    assert ("emil", "holiday") not in removals


def test_old_departures_take_no_room() -> None:
    clock = Clock()
    removals = RecentRemovals(clock)
    for each in range(5):
        removals.add("emil", str(each))
        clock.seconds += REMEMBERED_SECONDS

    assert len(removals._removed) == 1
