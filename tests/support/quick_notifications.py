"""Famichat with short delays of notifications: `python -m tests.support.quick_notifications [die]`.

With `die`, it kills itself between the claim of a notification and its request.
"""

import os
import signal
import sys
from typing import Any

from famichat.app.server import run
from famichat.push import notifier, sender
from famichat.push.client import PushClient
from famichat.settings import load_settings

RECOVERY_SECONDS = 1.0


async def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    notifier.BATCH_SECONDS, notifier.SHOW_AFTER_SECONDS, notifier.PUSH_AFTER_SECONDS = 0.1, 0.2, 0.5
    notifier.RECOVERY_SECONDS, sender.RENEWAL_SECONDS = RECOVERY_SECONDS, RECOVERY_SECONDS / 4
    if "die" in sys.argv:
        PushClient.post = die  # type: ignore[assignment]
    run(load_settings(), lambda _: None)
