import base64
from pathlib import Path

import pytest

from famichat.settings import Settings, SettingsFaults, load_settings, unknown_variables

KEY = base64.b64encode(b"\x07" * 32).decode()


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_it_is_a_server_for_this_machine() -> None:
    settings = load_settings()

    assert (settings.host, settings.port) == ("127.0.0.1", 4000)
    assert settings.effective_public_url == "http://localhost:4000"
    assert settings.effective_database_url == f"sqlite:///{Path.cwd()}/data/famichat.db"
    assert set(settings.encryption_policies.values()) == {"optional"}
    assert not settings.test_endpoints
    assert settings.rate_limits == "on"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "famichat.toml").write_text('port = 4001\nhost = "::1"\nlog_level = "ERROR"\n')
    monkeypatch.setenv("FAMICHAT_PORT", "4002")
    monkeypatch.setenv("FAMICHAT_HOST", "127.0.0.2")

    settings = load_settings(port=4003, host=None)

    assert (settings.port, settings.host, settings.log_level) == (4003, "127.0.0.2", "ERROR")


def test_all_errors_are_reported_together_under_their_setting_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMICHAT_PORT", "70000")
    monkeypatch.setenv("FAMICHAT_DATABASE_URL", "mysql://here")
    monkeypatch.setenv("FAMICHAT_PUBLIC_URL", "chat.example.org")
    monkeypatch.setenv("FAMICHAT_PUBSUB_URL", "amqp://here")
    monkeypatch.setenv("FAMICHAT_ENCRYPTION_POLICY_FAMILY", "perhaps")
    monkeypatch.setenv("FAMICHAT_VAULT_KEYS", "nonsense")
    monkeypatch.setenv("FAMICHAT_TRUSTED_PROXIES", "127.0.0.1, my-proxy")

    faults = _faults()

    assert {fault.partition(":")[0] for fault in faults} == {
        "FAMICHAT_PORT",
        "FAMICHAT_DATABASE_URL",
        "FAMICHAT_PUBLIC_URL",
        "FAMICHAT_PUBSUB_URL",
        "FAMICHAT_ENCRYPTION_POLICY_FAMILY",
        "FAMICHAT_VAULT_KEYS",
        "FAMICHAT_TRUSTED_PROXIES",
    }
    assert "FAMICHAT_PUBSUB_URL: must start with postgresql://, redis://, rediss://, unix:// or nats://" in faults


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("SECRET_KEY", "k" * 64),
        ("SECRET_KEY", "0101010101010101010101010101010101010101"),
        ("SECRET_KEY", "ChangeMe-changeme-changeme-changeme-0123456789"),
        ("SECRET_KEY", "replace this with 32 characters or more"),
        ("SECRET_KEY", "your_secret_key_of_at_least_32_characters"),
        ("METRICS_TOKEN", "an-example-of-a-token"),
        ("VAULT_KEYS", '{"1": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}'),
    ],
)
def test_the_secret_of_a_sample_file_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, sample: str) -> None:
    monkeypatch.setenv(f"FAMICHAT_{name}", sample)
    [fault] = _faults()

    assert fault.startswith(f"FAMICHAT_{name}: ")
    assert sample not in fault


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMICHAT_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8, fd00::/8")

    assert [str(each) for each in load_settings().trusted_proxies] == ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize("name", ["SECRET_KEY", "VAULT_KEYS", "METRICS_TOKEN", "DATABASE_URL"])
def test_no_fault_repeats_a_value_that_may_be_secret(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"FAMICHAT_{name}", "hunter2")

    with pytest.raises(SettingsFaults) as refused:
        load_settings()

    assert f"FAMICHAT_{name}" in str(refused.value)
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


def test_vault_keys_are_given_by_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMICHAT_VAULT_KEYS", f'{{"1": "{KEY}", "2": "{KEY}"}}')

    assert load_settings().vault_keys == {1: b"\x07" * 32, 2: b"\x07" * 32}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[]", "must be JSON"),
        ("{}", "each key must have 32 bytes"),
        ('{"1": 1}', "must be JSON"),
        ('{"one": "a"}', "must be JSON"),
        ('{"1": "c2hvcnQ="}', "each key must have 32 bytes"),
        (f'{{"0": "{KEY}"}}', "versions must be between 1 and 65535"),
    ],
)
def test_malformed_vault_keys_are_reported_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, written: str, words: str
) -> None:
    monkeypatch.setenv("FAMICHAT_VAULT_KEYS", written)

    (fault,) = _faults()

    assert fault.startswith("FAMICHAT_VAULT_KEYS: ")
    assert words in fault


def test_a_file_that_is_not_toml_is_reported_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "famichat.toml").write_text("port 4001")

    (fault,) = _faults()

    assert fault.startswith("famichat.toml: ")


def test_a_misspelt_name_in_the_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "famichat.toml").write_text("prot = 4001")

    assert _faults() == ["FAMICHAT_PROT: unknown setting; did you mean FAMICHAT_PORT?"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FAMICHAT_PUBLICURL", "FAMICHAT_PUBLIC_URL"),
        ("FAMICHAT_DATADIR", "FAMICHAT_DATA_DIR"),
        ("FAMICHAT_TRUSTED_PROXY", "FAMICHAT_TRUSTED_PROXIES"),
        ("FAMICHAT_DB_URL", "FAMICHAT_DATABASE_URL"),
    ],
)
def test_a_misspelt_variable_is_a_fault_that_names_the_right_one(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "x")

    assert _faults() == [f"{name}: unknown setting; did you mean {meant}?"]


def test_variables_of_other_programs_are_ignored_but_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = {
        "FAMICHAT_SERVICE_HOST": "10.0.0.1",
        "FAMICHAT_SERVICE_PORT": "4000",
        "FAMICHAT_PORT_4000_TCP": "tcp://10.0.0.1:4000",
        "FAMICHAT_PORT_4000_TCP_ADDR": "10.0.0.1",
        "FAMICHAT_TESTS_LONG": "yes",
    }
    ours = {"FAMICHAT_TOKEN": "x", "famichat_port": "4001", "FAMICHAT_PUBLIKURL": ""}
    for name, value in (kubernetes | ours).items():
        monkeypatch.setenv(name, value)

    assert load_settings().port == 4001
    assert unknown_variables(kubernetes | ours) == sorted(kubernetes)


def test_an_empty_variable_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMICHAT_DATABASE_URL", "")

    assert load_settings().database_url is None


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def _faults() -> list[str]:
    with pytest.raises(SettingsFaults) as refused:
        load_settings()
    return refused.value.faults


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("app_name", " "),
        ("app_name", "a\nb"),
        ("app_name", "x" * 31),
        ("app_color", "red"),
        ("app_color", "#12345"),
        ("app_logo", "nowhere.svg"),
        ("app_logo", "text.svg"),
        ("app_logo", "large.svg"),
        ("app_logo", "cut.png"),
    ],
)
def test_a_name_colour_or_logo_that_cannot_be_shown_is_a_fault(tmp_path: Path, setting: str, wrong: str) -> None:
    (tmp_path / "text.svg").write_text("no picture")
    (tmp_path / "large.svg").write_text("<svg>" + " " * 1024 * 1024)
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    with pytest.raises(SettingsFaults) as caught:
        load_settings(**{setting: wrong})
    [fault] = caught.value.faults
    assert fault.startswith(f"FAMICHAT_{setting.upper()}: ")


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://familie-m\u00fcller.example", "https://xn--familie-mller-4ob.example"),
        ("https://familie-mu\u0308ller.example", "https://xn--familie-mller-4ob.example"),
        ("https://Chat.Example.org/", "https://chat.example.org"),
        ("https://chat.example.org:443", "https://chat.example.org"),
        ("http://chat.example.org:443", "http://chat.example.org:443"),
        ("http://[2001:DB8::1]:4000", "http://[2001:db8::1]:4000"),
    ],
)
def test_the_public_url_is_the_origin_that_browsers_send(
    monkeypatch: pytest.MonkeyPatch, written: str, origin: str
) -> None:
    monkeypatch.setenv("FAMICHAT_PUBLIC_URL", written)

    assert load_settings().public_url == origin


@pytest.mark.parametrize(
    "written",
    [
        "https://example.org/chat",
        "https://example.org/?family=1",
        "https://example.org#chat",
        "https://maja@example.org",
        "https://example.org:port",
        "https://:4000",
        "https://m\u00fc..example",
    ],
)
def test_a_public_url_that_is_not_an_origin_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("FAMICHAT_PUBLIC_URL", written)

    [fault] = _faults()

    assert fault.startswith("FAMICHAT_PUBLIC_URL: must ")


@pytest.mark.parametrize(
    ("content", "level"),
    [(b'\xef\xbb\xbflog_level = "ERROR"', "ERROR"), (b'log_level = "error"\n', "ERROR")],
    ids=["byte order mark", "lower case"],
)
def test_the_file_is_read_as_editors_and_people_write_it(tmp_path: Path, content: bytes, level: str) -> None:
    (tmp_path / "famichat.toml").write_bytes(content)

    assert load_settings().log_level == level


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_than_utf_8_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "famichat.toml").write_bytes('app_name = "Björk"'.encode(encoding))

    assert faults() == ["famichat.toml must be a text file in UTF-8; save it again in this encoding"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("log_level", "warning"), ("log_format", "JSON"), ("rate_limits", "OFF"), ("encryption_policy_self", "Required")],
)
def test_choices_can_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FAMICHAT_{name.upper()}", value)

    assert getattr(load_settings(), name).casefold() == value.casefold()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("public_url", "https://[::1", "must have a valid host name and port"),
        ("public_url", "https://chat.example:99999", "must have a valid host name and port"),
        ("other_urls", "http://10.0.0.2:4000, http://10.0.0.2/x", "must be an address without a path"),
        ("database_url", "postgresql://u:p@h:abc/x", "must have a valid host name and port"),
        ("database_url", "postgresql://u:p@ss/w#rd@localhost/x", "write / as %2F, ? as %3F, # as %23, @ as %40"),
        ("database_url", "sqlite://data/x.db", "must name a file"),
        ("database_url", "sqlite:///", "must name a file"),
        ("pubsub_url", "redis://localhost:abc", "must have a valid host name and port"),
        ("pubsub_url", "nats://localhost:abc", "must have a valid host name and port"),
        ("smtp_url", "smtps://u:p%C3%A4ss@localhost", "must have a user and password of ASCII characters"),
        ("smtp_url", "smtps://u%0D%0A:p@localhost", "must have a user and password of ASCII characters"),
        ("otlp_endpoint", "http://localhost:abc", "must have a valid host name and port"),
        ("host", "http://localhost:4000", "must be an address without a port"),
        ("host", "localhost:4000", "must be an address without a port"),
    ],
)
def test_an_invalid_address_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"FAMICHAT_{name.upper()}", value)

    (fault,) = faults()
    assert fault.startswith(f"FAMICHAT_{name.upper()}: ")
    assert sentence in fault


def test_browsers_may_connect_at_the_public_address_and_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().origins == ()
    monkeypatch.setenv("FAMICHAT_PUBLIC_URL", "https://chat.example.org")
    monkeypatch.setenv("FAMICHAT_OTHER_URLS", "http://192.168.1.20:4000, http://Famichat.local")

    assert load_settings().origins == (
        "https://chat.example.org",
        "http://192.168.1.20:4000",
        "http://famichat.local",
    )


def test_an_ipv6_address_can_be_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAMICHAT_HOST", "[::1]")

    assert load_settings().host == "::1"


def faults() -> list[str]:
    with pytest.raises(SettingsFaults) as raised:
        load_settings()
    return raised.value.faults
