"""E-mail is handed to a real SMTP server, with TLS and a password."""

import asyncio
import smtplib
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest

from famichat.mail import smtp
from famichat.mail.smtp import NotEncrypted, SmtpServer
from famichat.mail.texts import compose
from tests.support.certificate import certificate_for
from tests.support.mail_server import SECRET, USER, mail_server

MESSAGE = compose(
    "reset", "ja", app="Famichat", sender=USER, to="maja@example.org", name="maja", url="https://chat.example/reset#x"
)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate of localhost, which this process trusts."""
    path = certificate_for("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def server_at(port: int, scheme: str = "smtp", *, host: str = "localhost", password: str = SECRET) -> SmtpServer:
    return SmtpServer.parse(f"{scheme}://{quote(USER)}:{quote(password, safe='')}@{host}:{port}", USER)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_message_is_sent_with_tls_and_the_password(certificate: ssl.SSLContext, scheme: str) -> None:
    contexts = {"tls": certificate} if scheme == "smtps" else {"starttls": certificate}
    async with mail_server(sign_in=True, **contexts) as running:
        await asyncio.to_thread(server_at(running.port, scheme).send, MESSAGE)
        received = await running.next()

    assert received["Subject"] == "Famichat: 新しいパスワードの設定"
    assert (received["From"], received["To"]) == (USER, "maja@example.org")
    assert "https://chat.example/reset#x" in received.get_content()


async def test_a_wrong_password_is_refused(certificate: ssl.SSLContext) -> None:
    async with mail_server(starttls=certificate, sign_in=True) as running:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await asyncio.to_thread(server_at(running.port, password="wrong").check)
        await asyncio.to_thread(server_at(running.port).check)


async def test_a_certificate_of_another_host_is_refused(certificate: ssl.SSLContext) -> None:
    async with mail_server(starttls=certificate) as running:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.to_thread(server_at(running.port, host="127.0.0.1").check)


async def test_only_a_server_on_this_machine_may_do_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_server() as running:
        here = SmtpServer.parse(f"smtp://127.0.0.1:{running.port}", USER)
        await asyncio.to_thread(here.send, MESSAGE)
        received = await running.next()
        monkeypatch.setattr(smtp, "_is_this_machine", lambda _: False)
        with pytest.raises(NotEncrypted):
            await asyncio.to_thread(here.send, MESSAGE)

    assert received["Auto-Submitted"] == "auto-generated"
    assert running.received.empty()


def test_a_url_without_a_port_and_password() -> None:
    server = SmtpServer.parse("smtps://mail.example.org", USER)

    assert (server.host, server.port, server.tls, server.user) == ("mail.example.org", 465, True, "")
    assert SmtpServer.parse("smtp://mail.example.org", USER).port == 587
    assert SECRET not in repr(server_at(1))
