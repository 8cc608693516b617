"""The settings of a server, read once at start; all errors are reported together.

They come from the environment (`FAMICHAT_PORT=4001`) or a `famichat.toml` in the working directory (`port = 4001`); the
environment wins. `docs/running.md` lists the same names; a test compares the two.
"""

import base64
import binascii
import io
import json
import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from famichat.typed_text import ascii_host, ip_of

EncryptionPolicy = Literal["required", "optional", "forbidden"]
_TOML = "famichat.toml"
_PREFIX = "FAMICHAT_"
_OF_COMMANDS = frozenset({"URL", "TOKEN", "MOVE_TO"})
"""Variables that only some commands read."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LEAST_DIFFERENT = 8
# Placeholders in instructions and sample files.
_OF_SAMPLES = ("changeme", "change-me", "change_me", "replace", "example", "your-", "your_", "your ", "placeholder")
_MAX_LOGO_BYTES = 1024 * 1024
_SPECIAL = "/?#@"
"""Characters that end the user and password of a URL (RFC 3986, 3.2)."""
_VAULT_KEY_BYTES, _MAX_VAULT_VERSION = 32, 2**16 - 1


class SettingsFaults(Exception):
    """Invalid settings: one line per error."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _parts(url: str) -> SplitResult:
    """Split a URL.

    Raises:
        ValueError: the host, the port or the characters of the password are invalid.
    """
    user, _, _ = url.partition("://")[2].rpartition("@")
    if any(char in user for char in _SPECIAL):
        written = ", ".join(f"{char} as {quote(char, safe='')}" for char in _SPECIAL)
        raise ValueError(f"must have a user and password without special characters; write {written}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("must have a valid host name and port, such as localhost:4000 or [::1]:4000") from None
    return parts


def valid_database_url(url: str) -> str:
    """Return the URL of a database.

    Raises:
        ValueError: it is not one, with a sentence for the operator.
    """
    parts = _parts(url)
    if parts.scheme not in {"sqlite", "postgresql"}:
        raise ValueError("must start with sqlite:/// or postgresql://")
    if parts.scheme == "sqlite" and (parts.netloc or not parts.path.strip("/") or parts.path == "/:memory:"):
        raise ValueError(
            "must name a file: sqlite:////absolute/path.db, with four slashes, or sqlite:///relative/path.db"
        )
    return url


def _http_url(url: str) -> str:
    parts = _parts(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must be an address such as https://chat.example.org")
    return url.rstrip("/")


def _public_url(url: str) -> str:
    """Return the origin as browsers write it (RFC 6454, 6.2): lower case, Punycode, without the default port."""
    parts = urlsplit(_http_url(url))
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
        raise ValueError("must be an address without a path, such as https://chat.example.org")
    try:
        host, port = ascii_host(parts.hostname), parts.port
    except ValueError:
        raise ValueError("must have a valid host name and port, such as https://chat.example.org") from None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}")


def _listen_address(host: str) -> str:
    address = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not address or "/" in address or (":" in address and ip_of(address) is None):
        raise ValueError("must be an address without a port, such as 127.0.0.1, 0.0.0.0 or ::, or a host name")
    return address


def _broker_url(url: str) -> str:
    if _parts(url).scheme not in {"postgresql", "redis", "rediss", "unix", "nats"}:
        raise ValueError("must start with postgresql://, redis://, rediss://, unix:// or nats://")
    return url


def _smtp_url(url: str) -> str:
    parts = _parts(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError("must look like smtps://user:password@mail.example.org, or smtp:// for STARTTLS")
    if not all(char.isascii() and char.isprintable() for char in unquote(f"{parts.username}{parts.password}")):
        raise ValueError("must have a user and password of ASCII characters, which SMTP servers accept")
    return url


def _own_secret(secret: str) -> str:
    written = secret.casefold()
    if len(set(secret)) < _LEAST_DIFFERENT or any(sample in written for sample in _OF_SAMPLES):
        raise ValueError("must be a secret of your own, for example from `openssl rand -base64 48`")
    return secret


def _name(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("must have letters and only printable characters")
    return name.strip()


def _picture(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_LOGO_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(content) > _MAX_LOGO_BYTES or not (b"<svg" in content or _can_be_drawn(content)):
        raise ValueError(f"must be an SVG, PNG, JPEG or WebP image of at most {_MAX_LOGO_BYTES // 1024} KiB")
    return path


def _can_be_drawn(content: bytes) -> bool:
    from PIL import Image  # noqa: PLC0415 - a large library that only custom logos need

    try:
        with Image.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP"]) as picture:
            picture.load()
    except (OSError, Image.DecompressionBombError):
        return False
    return True


def _vault_keys(given: Any) -> dict[int, bytes]:
    try:
        written = json.loads(given) if isinstance(given, str) else given
        keys = {int(version): base64.b64decode(key, validate=True) for version, key in written.items()}
    except (AttributeError, TypeError, ValueError, binascii.Error):
        raise ValueError('must be JSON such as {"1": "<32 bytes in base64>"}') from None
    if not keys or any(len(key) != _VAULT_KEY_BYTES for key in keys.values()):
        raise ValueError(f"each key must have {_VAULT_KEY_BYTES} bytes, in base64")
    if not all(any(key) for key in keys.values()):
        raise ValueError("a key must not be all zeros")
    if not all(0 < version <= _MAX_VAULT_VERSION for version in keys):
        raise ValueError(f"versions must be between 1 and {_MAX_VAULT_VERSION}")
    return keys


def _network(given: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(given)
    except ValueError:
        raise ValueError("must be addresses or networks such as 127.0.0.1, 10.0.0.0/8") from None


def _list(given: Any) -> Any:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


def _lower(given: Any) -> Any:
    return given.lower() if isinstance(given, str) else given


def _upper(given: Any) -> Any:
    return given.upper() if isinstance(given, str) else given


_Networks = tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...]
_Policy = Annotated[EncryptionPolicy, BeforeValidator(_lower)]
_VaultKeys = Annotated[dict[int, bytes], BeforeValidator(_vault_keys)]


class _TomlSource(TomlConfigSettingsSource):
    """`famichat.toml`, also with a byte order mark, as some editors write it."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            return tomllib.loads(file_path.read_text("utf-8-sig"))
        except UnicodeDecodeError:
            raise SettingsFaults([f"{_TOML} must be a text file in UTF-8; save it again in this encoding"]) from None


class Settings(BaseSettings):
    """The settings of one Famichat process."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        toml_file=_TOML,
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("data")
    database_url: Annotated[str, AfterValidator(valid_database_url)] | None = None
    files_dir: Path | None = None
    max_file_mb: Annotated[int, Field(ge=1, le=100_000)] = 100
    quota_mb: Annotated[int, Field(ge=1, le=100_000_000)] = 2048
    backup_schedule: Literal["daily", "off"] = "daily"
    backup_dir: Path | None = None
    backup_recipient: Annotated[str, Field(pattern=r"^age1[02-9ac-hj-np-z]{58}$")] | None = None
    host: Annotated[str, AfterValidator(_listen_address)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 4000
    app_name: Annotated[str, Field(max_length=30), AfterValidator(_name)] = "Famichat"
    app_color: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None
    app_logo: Annotated[Path, AfterValidator(_picture)] | None = None
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    other_urls: Annotated[
        tuple[Annotated[str, AfterValidator(_public_url)], ...], BeforeValidator(_list), NoDecode
    ] = ()
    secret_key: Annotated[str, Field(min_length=32), AfterValidator(_own_secret)] | None = None
    vault_keys: Annotated[_VaultKeys | None, NoDecode] = None
    trusted_proxies: Annotated[_Networks, BeforeValidator(_list), NoDecode] = ()
    connections_per_address: Annotated[int, Field(ge=1)] = 2_000
    pubsub_url: Annotated[str, AfterValidator(_broker_url)] | None = None
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] | None = None
    smtp_from: Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$", max_length=254)] | None = None
    encryption_policy_self: _Policy = "optional"
    encryption_policy_direct: _Policy = "optional"
    encryption_policy_group: _Policy = "optional"
    encryption_policy_family: _Policy = "optional"
    rate_limits: Annotated[Literal["on", "off"], BeforeValidator(_lower)] = "on"
    push_private_addresses: bool = False
    test_endpoints: bool = False
    metrics_token: Annotated[str, Field(min_length=16), AfterValidator(_own_secret)] | None = None
    otlp_endpoint: Annotated[str, AfterValidator(_http_url)] | None = None
    telemetry_ids: Annotated[Literal["hashed", "plain"], BeforeValidator(_lower)] = "hashed"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = "INFO"
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = "console"

    @property
    def encryption_policies(self) -> dict[str, EncryptionPolicy]:
        """Which conversation types require, allow or forbid end-to-end encryption."""
        return {
            "self": self.encryption_policy_self,
            "direct": self.encryption_policy_direct,
            "group": self.encryption_policy_group,
            "family": self.encryption_policy_family,
        }

    @property
    def effective_database_url(self) -> str:
        """The database URL: as configured, or SQLite in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'famichat.db'}"

    @property
    def effective_pubsub_url(self) -> str | None:
        """The URL of the broker: as configured, or the PostgreSQL database; None on SQLite, which has one server."""
        if self.pubsub_url is None and self.effective_database_url.startswith("postgresql:"):
            return self.effective_database_url
        return self.pubsub_url

    @property
    def effective_smtp_from(self) -> str:
        """The address that e-mail comes from: as configured, or that of the SMTP user, or one of the public host."""
        user = unquote(urlsplit(self.smtp_url or "").username or "")
        host = urlsplit(self.effective_public_url).hostname
        return self.smtp_from or (user if "@" in user else f"famichat@{host}")

    @property
    def effective_files_dir(self) -> Path:
        """The directory of attachment files: as configured, or `files` in the data directory."""
        return self.files_dir or self.data_dir / "files"

    @property
    def effective_backup_dir(self) -> Path:
        """The directory of scheduled backups: as configured, or beside the data directory."""
        data_dir = self.data_dir.absolute()
        return self.backup_dir or data_dir.with_name(f"{data_dir.name}-backups")

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins from which browsers may connect; empty if only the address of the request may."""
        if self.public_url is None and not self.other_urls:
            return ()
        return (self.effective_public_url, *self.other_urls)

    @property
    def effective_public_url(self) -> str:
        """The URL that users open."""
        host = "localhost" if self.host in {"0.0.0.0", "::", "127.0.0.1", "::1"} else self.host  # noqa: S104 - compared, not bound  # nosec B104
        return self.public_url or f"http://{host}:{self.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class passes all four
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources by priority: arguments, the environment, `famichat.toml`."""
        return init_settings, env_settings, _TomlSource(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """Read and validate all settings.

    Args:
        overrides: settings from the command line, by field name, with the highest priority. None means not given.

    Raises:
        SettingsFaults: settings are invalid or misspelled; it lists each by the name of its environment variable.
    """
    if misspelled := _misspelled(os.environ):
        raise SettingsFaults(misspelled)
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except tomllib.TOMLDecodeError as error:
        raise SettingsFaults([f"{_TOML}: {error}"]) from error
    except ValidationError as error:
        raise SettingsFaults([_in_words(fault["loc"], fault["msg"]) for fault in error.errors()]) from error


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the `FAMICHAT_*` variables that nothing reads, such as those that Kubernetes sets for a service."""
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | {
        f"{_PREFIX}{name}" for name in _OF_COMMANDS
    }
    # Names are compared as pydantic-settings reads them: in any case, and only if they have a value.
    return sorted(name for name, value in environment.items() if value and _is_ours(name) and name.upper() not in known)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(_PREFIX)


def _misspelled(environment: Mapping[str, str]) -> list[str]:
    suggested = [(name, _nearest(name.upper().removeprefix(_PREFIX))) for name in unknown_variables(environment)]
    return [f"{name}: unknown setting; did you mean {_PREFIX}{near}?" for name, near in suggested if near]


def _nearest(name: str) -> str | None:
    near = get_close_matches(name.upper(), [field.upper() for field in Settings.model_fields], n=1)
    return near[0] if near else None


def _in_words(location: tuple[int | str, ...], message: str) -> str:
    # Leave out the value: it may be a secret.
    name = str(location[0]) if location else "settings"
    sentence = message.removeprefix("Value error, ")
    if sentence == "Extra inputs are not permitted":
        near = _nearest(name)
        sentence = "unknown setting" + (f"; did you mean {_PREFIX}{near}?" if near else "")
    return f"{_PREFIX}{name.upper()}: {sentence}"
