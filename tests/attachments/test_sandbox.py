"""The process that decodes pictures can open no file and no connection, and start no program."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from famichat.attachments import picture, sandbox
from famichat.attachments.picture import MAX_WORKERS, clean, is_confined
from famichat.telemetry.events import Event, PictureWorkerNotConfined
from tests.support.photos import photo

ATTEMPTS = {
    "read a file": "open('/etc/passwd')",
    "list a directory": "os.listdir('/')",
    "look at a file": "os.stat('/etc/passwd')",
    "write a file": "open('/tmp/x', 'w')",
    "delete a file": "os.unlink('/tmp/x')",
    "read the memory of another process": "open('/proc/1/mem', 'rb')",
    "connect": "socket.socket().connect(('127.0.0.1', 1))",
    "listen": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "use a Unix socket": "socket.socket(socket.AF_UNIX)",
    "start a program": "os.execv('/bin/true', ['true'])",
    "start a process": "os.fork()",
    "send a signal": "os.kill(os.getppid(), 0)",
    "raise its limits": "os.setpriority(os.PRIO_PROCESS, 0, 5)",
}
# Prints the error of each attempt.
CONFINED = """
import os, socket, sys, threading
from famichat.attachments.sandbox import confine
assert confine()
for line in sys.stdin:
    try:
        exec(line)
    except OSError as error:
        print(type(error).__name__)
    else:
        print("done")
thread = threading.Thread(target=lambda: print("a thread runs"))
thread.start()
thread.join()
"""


def test_a_confined_process_can_only_compute() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CONFINED],
        input="\n".join(ATTEMPTS.values()),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    *outcomes, last = ran.stdout.splitlines()
    assert dict(zip(ATTEMPTS, outcomes, strict=True)) == dict.fromkeys(ATTEMPTS, "PermissionError")
    assert last == "a thread runs"


def test_the_worker_is_confined_before_it_reads_a_picture() -> None:
    assert is_confined()


@pytest.fixture
def without_seccomp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers that find no libseccomp, as on a system without it."""
    command = (
        sys.executable,
        "-c",
        "import sys; sys.modules['pyseccomp'] = None\nfrom famichat.attachments.picture_worker import main\nmain()",
    )
    monkeypatch.setattr(picture, "_COMMAND", command)
    picture._reported.clear()
    yield
    picture._reported.clear()


@pytest.mark.usefixtures("without_seccomp")
def test_without_seccomp_pictures_are_cleaned_and_the_operator_is_told_once(emitted: list[Event]) -> None:
    sizes = {clean([photo("image/jpeg")], "image/jpeg", into=None).width for _ in range(2)}

    assert sizes != {0}
    assert [event for event in emitted if isinstance(event, PictureWorkerNotConfined)] == [PictureWorkerNotConfined()]


def test_other_systems_are_not_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not sandbox.confine()


def test_the_memory_of_all_workers_together_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_COMMAND", ("/bin/cat",))  # a worker that waits for its input
    entered, leave = threading.Semaphore(0), threading.Event()

    def work() -> None:
        with picture._worker(()) as (standard_input, _), standard_input:
            entered.release()
            leave.wait(30)

    workers = [threading.Thread(target=work) for _ in range(MAX_WORKERS + 1)]
    for worker in workers:
        worker.start()
    begun = [entered.acquire(timeout=30) for _ in range(MAX_WORKERS)]
    one_more = entered.acquire(timeout=0.1)
    leave.set()
    for worker in workers:
        worker.join()

    assert (begun, one_more) == ([True] * MAX_WORKERS, False)
    assert entered.acquire(timeout=0)
