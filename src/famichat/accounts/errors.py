"""What can be wrong with who somebody says they are: each error has a stable `code`."""

from famichat.errors import FamichatError


class AccountsError(FamichatError):
    """Base class of this package's errors.

    A message is sent to the client as well, as `detail` (RFC 9457): it says what is wrong with a name or a password.
    """

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message, **({"detail": message, **details} if message else details))


# About what somebody wants to be called


class InvalidUsername(AccountsError):
    """Nobody can have this name; the message says what is wrong with it."""

    code = "invalid_username"


class UsernameTaken(AccountsError):
    """Somebody has this name already, or one that looks like it."""

    code = "username_taken"


class InvalidDisplayName(AccountsError):
    """Nobody can be shown under this name; the message says what is wrong with it."""

    code = "invalid_display_name"


class DisplayNameTaken(AccountsError):
    """Somebody else goes by this name, or by one that looks like it."""

    code = "display_name_taken"


class InvalidEmail(AccountsError):
    """This is not an e-mail address, or none was given where one is needed."""

    code = "invalid_email"


class EmailTaken(AccountsError):
    """The address cannot be used for a new account."""

    code = "email_taken"


class InvalidDeviceName(AccountsError):
    """A device's name has 1 to 64 characters that can be seen."""

    code = "invalid_device_name"


class WeakPassword(AccountsError):
    """The password is too short, too long, or one of those that everybody guesses first."""

    code = "weak_password"


# About who somebody is


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
    """Too many wrong passwords; `details` says when to come back."""

    code = "rate_limited"

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__(retry_in_ms=max(1, round(retry_in_seconds * 1000)))
        self.retry_in_seconds = retry_in_seconds


class InvalidToken(AccountsError):
    """The token is malformed, forged, expired, used up or revoked: one answer for all of them."""

    code = "invalid_token"


class NoSuchDevice(AccountsError):
    """The person has no such device, whether or not somebody else has."""

    code = "not_found"


class InvalidPasskey(AccountsError):
    """The passkey cannot be taken: malformed, for another site, too late, here already, or one too many."""

    code = "invalid_passkey"


class PasskeysUnavailable(AccountsError):
    """No browser gives passkeys to the address of this server."""

    code = "passkeys_unavailable"


class NoSuchPasskey(AccountsError):
    """The person has no such passkey, whether or not somebody else has."""

    code = "not_found"


# About how somebody comes in


class InvalidInvite(AccountsError):
    """The invitation does not exist, or is expired, revoked or accepted: one answer for all of them."""

    code = "invalid_invite"


class AlreadySetUp(AccountsError):
    """This server has its first family; the next people come by invitation."""

    code = "already_set_up"


class InvalidSetupCode(AccountsError):
    """This is not the code that the server printed when it started."""

    code = "invalid_setup_code"
