"""Errors of accounts, sign-in and invites; each has a stable `code`."""

from famichat.errors import FamichatError


class AccountsError(FamichatError):
    """Base class of this package's errors.

    A message is sent to the client as well, as `detail` (RFC 9457): it says why a name or a password is not allowed.
    """

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message, **({"detail": message, **details} if message else details))


# Names, addresses and passwords


class InvalidUsername(AccountsError):
    """The username is not allowed; the message gives the reason."""

    code = "invalid_username"


class UsernameTaken(AccountsError):
    """Another user has this name, or one that looks like it.

    Its details can contain `suggestions`, similar usernames that are free.
    """

    code = "username_taken"


class InvalidDisplayName(AccountsError):
    """The display name is not allowed; the message gives the reason."""

    code = "invalid_display_name"


class DisplayNameTaken(AccountsError):
    """Another member of a family of the user has this name, or one that looks like it."""

    code = "display_name_taken"


class NameTakenInFamily(AccountsError):
    """A member of the family that the user joins has the user's name, or one that looks like it."""

    code = "name_taken_in_family"


class InvalidEmail(AccountsError):
    """The text is not an e-mail address, or an address is required."""

    code = "invalid_email"


class EmailTaken(AccountsError):
    """An account with this e-mail address exists."""

    code = "email_taken"


class InvalidDeviceName(AccountsError):
    """The device name does not have 1 to 64 visible characters."""

    code = "invalid_device_name"


class WeakPassword(AccountsError):
    """The password is too short, too long, or too common."""

    code = "weak_password"


# Authentication


class InvalidCredentials(AccountsError):
    """The account does not exist or the password is wrong; the response does not tell which.

    Attributes:
        user_id: the account the sign-in was for, if it exists; for telemetry, never part of the response.
    """

    code = "invalid_credentials"

    def __init__(self, user_id: str | None = None) -> None:
        super().__init__()
        self.user_id = user_id


class TooManyAttempts(AccountsError):
    """Too many wrong passwords; `details` says when to try again."""

    code = "rate_limited"

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__(retry_in_ms=max(1, round(retry_in_seconds * 1000)))
        self.retry_in_seconds = retry_in_seconds


class InvalidToken(AccountsError):
    """The token is malformed, forged, expired, used or revoked; the response does not tell which."""

    code = "invalid_token"


class InvalidResetLink(InvalidToken):
    """The link is unknown, used, replaced or older than an hour; the response does not tell which."""

    code = "invalid_reset_link"


class InvalidConfirmationLink(InvalidToken):
    """The link to confirm an e-mail address is unknown, used, replaced or older than an hour."""

    code = "invalid_confirmation_link"


class EmailUnavailable(AccountsError):
    """The operator configured no SMTP server."""

    code = "email_unavailable"


class Unauthorized(InvalidToken):
    """The request has no token."""

    code = "unauthorized"


class NoSuchDevice(AccountsError):
    """The user has no such device, whether or not another user has."""

    code = "not_found"


class InvalidPasskey(AccountsError):
    """The passkey is malformed, expired, already registered, for another site, or one too many."""

    code = "invalid_passkey"


class PasskeysUnavailable(AccountsError):
    """Browsers do not offer passkeys for this server's address."""

    code = "passkeys_unavailable"


class NoSuchPasskey(AccountsError):
    """The user has no such passkey, whether or not another user has."""

    code = "not_found"


# Retries


class IdempotencyKeyReused(AccountsError):
    """The user has already sent a different request with this `Idempotency-Key`."""

    code = "idempotency_key_reused"


# Setup and invites


class InvalidInvite(AccountsError):
    """The invite does not exist, or is expired, revoked or accepted; the response does not tell which."""

    code = "invalid_invite"


class AlreadySetUp(AccountsError):
    """The server has a family; further users join by invite."""

    code = "already_set_up"


class InvalidSetupCode(AccountsError):
    """The code is not the one that the server printed when it started."""

    code = "invalid_setup_code"
