"""Reports an unexpected error of a background task."""

from famichat.telemetry.bus import emit
from famichat.telemetry.events import BackgroundTaskCrashed
from famichat.telemetry.location import raised_at


def report_crash(task: str, error: BaseException, restart_seconds: float = 0) -> None:
    """Emit `famichat.process.task_crashed` for an error, without quoting its text.

    Args:
        task: the name of the task.
        error: what it raised. For a group, each error in it is reported, because the type of the group tells nothing.
        restart_seconds: the pause until the task restarts; 0 if it continues.
    """
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            report_crash(task, inner, restart_seconds)
        return
    emit(
        BackgroundTaskCrashed(
            task=task, error_type=type(error).__name__, where=raised_at(error), restart_seconds=restart_seconds
        )
    )
