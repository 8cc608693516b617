"""Sends e-mail over SMTP (RFC 5321), encrypted with TLS unless the SMTP server is on this machine."""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

_SECONDS = 15.0
_PORTS = {"smtp": 587, "smtps": 465}


class NotEncrypted(smtplib.SMTPException):
    """The SMTP server does not offer STARTTLS, so passwords and links would cross the network in plain text."""


@dataclass(frozen=True, slots=True, repr=False)
class SmtpServer:
    """The SMTP server to hand e-mail to.

    Attributes:
        host: its name or address.
        port: its port.
        tls: whether it expects TLS from the first byte (RFC 8314); otherwise STARTTLS (RFC 3207).
        user: the name to sign in with; empty to send without.
        password: its password.
        sender: the address that e-mail comes from.
    """

    host: str
    port: int
    tls: bool
    user: str
    password: str
    sender: str

    @classmethod
    def parse(cls, url: str, sender: str) -> "SmtpServer":
        """Read a URL such as `smtps://user:password@mail.example.org`.

        Args:
            url: with the scheme smtps (TLS) or smtp (STARTTLS), as the settings accept it.
            sender: the address that e-mail comes from.
        """
        parts = urlsplit(url)
        return cls(
            parts.hostname or "",
            parts.port or _PORTS[parts.scheme],
            parts.scheme == "smtps",
            unquote(parts.username or ""),
            unquote(parts.password or ""),
            sender,
        )

    def send(self, message: EmailMessage) -> None:
        """Hand over a message. Blocks, for at most 15 seconds per step.

        Raises:
            OSError: the server cannot be reached, or refuses the message (`smtplib.SMTPException`).
        """
        with self._connection() as connection:
            connection.send_message(message, from_addr=self.sender)

    def check(self) -> None:
        """Connect and sign in, without sending anything.

        Raises:
            OSError: see `send`.
        """
        with self._connection() as connection:
            connection.noop()

    def _connection(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=_SECONDS)
        try:
            if not self.tls:
                self._start_tls(connection, context)
            if self.user:
                connection.login(self.user, self.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _start_tls(self, connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
        connection.ehlo()
        if connection.has_extn("starttls"):
            connection.starttls(context=context)
        elif not _is_this_machine(self.host):
            raise NotEncrypted


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
