"""Famichat with short delays of notifications: `python -m tests.support.quick_notifications`."""

from famichat.app.server import run
from famichat.push import notifier
from famichat.settings import load_settings

PUSH_AFTER_SECONDS = 1.0
RECOVERY_SECONDS = 2.0

if __name__ == "__main__":
    notifier.BATCH_SECONDS, notifier.SHOW_AFTER_SECONDS = 0.1, 0.2
    notifier.PUSH_AFTER_SECONDS, notifier.RECOVERY_SECONDS = PUSH_AFTER_SECONDS, RECOVERY_SECONDS
    run(load_settings(), lambda _: None)
