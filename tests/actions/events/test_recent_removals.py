from famichat.actions.events.recent_removals import REMEMBERED_SECONDS, RecentRemovals


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_removal_is_remembered_for_a_limited_time_per_conversation() -> None:
    clock = Clock()
    removals = RecentRemovals(clock)
    removals.add("emil", "holiday")

    assert ("emil", "holiday") in removals
    assert ("emil", "family") not in removals
    assert ("maja", "holiday") not in removals

    clock.seconds += REMEMBERED_SECONDS
    assert ("emil", "holiday") not in removals


def test_a_returning_member_receives_messages_again() -> None:
    removals = RecentRemovals()
    removals.add("emil", "holiday")
    removals.discard("emil", "holiday")
    removals.discard("maja", "holiday")

    assert ("emil", "holiday") not in removals


def test_old_removals_are_discarded() -> None:
    clock = Clock()
    removals = RecentRemovals(clock)
    for each in range(5):
        removals.add("emil", str(each))
        clock.seconds += REMEMBERED_SECONDS

    assert len(removals._removed) == 1
