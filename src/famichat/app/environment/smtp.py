"""Checks whether the SMTP server accepts connections and the password."""

import smtplib

from famichat.app.environment.check import Check
from famichat.mail.smtp import NotEncrypted, SmtpServer
from famichat.settings import Settings


def check_smtp(settings: Settings) -> Check:
    """Connect to the SMTP server and sign in, without sending anything."""
    if settings.smtp_url is None:
        return Check("e-mail", Check.OK, "not configured: admins and the operator reset forgotten passwords")
    server = SmtpServer.parse(settings.smtp_url, settings.effective_smtp_from)
    try:
        server.check()
    except smtplib.SMTPAuthenticationError:
        return Check("e-mail", Check.BAD, "the SMTP server refuses the user or password; correct FAMICHAT_SMTP_URL")
    except NotEncrypted:
        return Check("e-mail", Check.BAD, "the SMTP server offers no STARTTLS; use smtps:// in FAMICHAT_SMTP_URL")
    except (OSError, smtplib.SMTPException) as error:
        reason = type(error).__name__
        return Check(
            "e-mail", Check.BAD, f"no SMTP at {server.host}:{server.port} ({reason}); correct FAMICHAT_SMTP_URL"
        )
    return Check("e-mail", Check.OK, f"{server.host} accepts e-mail from {server.sender}")
