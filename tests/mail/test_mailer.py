"""E-mail is sent in the background, one after the other."""

import asyncio

from famichat.accounts.errors import InvalidEmail
from famichat.mail.mailer import MAX_WAITING, Letter, Mailer
from famichat.mail.smtp import SmtpServer
from famichat.storage.errors import UnsealError
from famichat.telemetry.events import Event
from tests.support.mail_server import USER, mail_server
from tests.support.running import running


async def letter() -> Letter:
    return Letter("reset", "en", "maja@example.org", "maja", "https://chat.example/reset#secret")


async def nothing() -> None:
    return None


async def broken() -> Letter:
    raise InvalidEmail


async def damaged() -> Letter:
    raise UnsealError("email")


async def faulty() -> Letter:
    raise KeyError


def failures(emitted: list[Event]) -> list[str]:
    return [str(getattr(each, "error_type", "")) for each in emitted if each.name == "famichat.mail.failed"]


async def test_a_failure_is_reported_without_the_address_and_the_next_one_is_sent(emitted: list[Event]) -> None:
    async with mail_server() as server:
        mailer = Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}", USER), "Famichat")
        async with running(mailer):
            server.refuses = True
            mailer.enqueue(letter)
            async with asyncio.timeout(10):
                while not failures(emitted):  # noqa: ASYNC110 - telemetry has no event to wait for
                    await asyncio.sleep(0.005)
            server.refuses = False
            for write in (nothing, broken, letter):
                mailer.enqueue(write)
            received = await server.next()
        mailer.close()

    assert received["To"] == "maja@example.org"
    assert failures(emitted) == ["SMTPDataError", "InvalidEmail"]
    assert "maja" not in repr(emitted)


async def test_no_error_of_one_email_delays_the_others(emitted: list[Event]) -> None:
    async with mail_server() as server:
        mailer = Mailer(SmtpServer.parse(f"smtp://127.0.0.1:{server.port}", USER), "Famichat")
        for write in (damaged, faulty, letter):
            mailer.enqueue(write)
        async with running(mailer):
            received = await server.next()
        mailer.close()

    assert received["To"] == "maja@example.org"
    assert failures(emitted) == ["UnsealError", "KeyError"]
    assert [getattr(each, "task", None) for each in emitted if each.name == "famichat.process.task_crashed"] == [
        "e-mail"
    ], "the bug is reported"


async def test_at_most_a_hundred_wait(emitted: list[Event]) -> None:
    mailer = Mailer(SmtpServer.parse("smtp://127.0.0.1:1", USER), "Famichat")
    for _ in range(MAX_WAITING + 1):
        mailer.enqueue(letter)
    mailer.close()

    assert failures(emitted) == ["QueueFull"]
