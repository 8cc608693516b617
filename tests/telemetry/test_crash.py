from famichat.telemetry.crash import report_crash
from famichat.telemetry.events import BackgroundTaskCrashed, Event


def test_each_error_of_a_group_is_reported_without_its_text(emitted: list[Event]) -> None:
    report_crash("sweep", ExceptionGroup("several", [ValueError("secret"), OSError()]), 2)

    assert emitted == [
        BackgroundTaskCrashed(task="sweep", error_type="ValueError", where="unknown", restart_seconds=2),
        BackgroundTaskCrashed(task="sweep", error_type="OSError", where="unknown", restart_seconds=2),
    ]
