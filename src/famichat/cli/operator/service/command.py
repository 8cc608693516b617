"""`famichat service`: installs the server as a sandboxed service of systemd."""

import os
import pwd
import shutil
import subprocess  # nosec B404 - starts systemctl and useradd, see _run
import sys
from importlib.resources import files
from pathlib import Path

import click

from famichat.cli.options import json_option, print_result
from famichat.cli.refusal import Refused

USER = "famichat"
UNIT_FILE = Path("/etc/systemd/system/famichat.service")
SYSTEMD = Path("/run/systemd/system")
"""Exists if systemd is the running service manager; see sd_booted(3)."""

_HOMES = ("/home", "/root", "/run/user")  # hidden by ProtectHome=yes


@click.group()
def service() -> None:
    """Run the server as a service of systemd, which starts it with the machine."""


@service.command()
@json_option
def show(*, as_json: bool) -> None:
    """Print the unit that `install` writes."""
    text = unit(_program())
    print_result({"unit": text}, text.rstrip("\n"), as_json=as_json)


@service.command()
@click.option("--no-start", is_flag=True, help="Only write the unit; do not enable and start it.")
@json_option
def install(*, no_start: bool, as_json: bool) -> None:
    """Create the user famichat, write the unit, and start the service. Run it as root; it can be repeated.

    The data is in /var/lib/famichat, and the settings are in /etc/famichat.env.
    """
    program = _program()
    if os.geteuid() != 0:
        raise Refused("not_root", "Only root can install a service. Run the command again with sudo")
    if str(program).startswith(_HOMES):
        raise Refused(
            "program_in_home",
            f"The service could not run {program}, because it has no access to home directories. Install Famichat for "
            "all users: PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install ...",
        )
    if not SYSTEMD.is_dir() and not no_start:
        raise Refused("no_systemd", "systemd does not run here. In a container, run famichat serve itself")
    _create_user()
    UNIT_FILE.write_text(unit(program), encoding="utf-8")
    if not no_start:
        _run("systemctl", "daemon-reload")
        _run("systemctl", "enable", "famichat.service")
        _run("systemctl", "restart", "famichat.service")
    done = f"Wrote {UNIT_FILE}." if no_start else "Famichat is running, and starts with the machine."
    hint = "Settings belong into /etc/famichat.env. The setup code is in the log: journalctl --unit famichat"
    print_result({"unit": str(UNIT_FILE), "started": not no_start}, f"{done}\n{hint}", as_json=as_json)


def unit(program: Path) -> str:
    """Return the unit that runs a program."""
    template = (files("famichat.cli.operator.service") / "famichat.service").read_text(encoding="utf-8")
    # In a unit, % begins a specifier and $ a variable (systemd.service(5)).
    return template.replace("@PROGRAM@", str(program).replace("%", "%%").replace("$", "$$"))


def _program() -> Path:
    """Return the `famichat` program of this environment: beside its Python, where pip and pipx install it."""
    return Path(sys.executable).parent / "famichat"


def _create_user() -> None:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        _run("useradd", "--system", "--home-dir", "/var/lib/famichat", "--shell", "/usr/sbin/nologin", USER)


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise Refused("no_program", f"{program} is not installed")
    ended = subprocess.run([found, *arguments], check=False)  # noqa: S603 - no shell reads it  # nosec B603
    if ended.returncode:
        raise Refused("program_failed", f"{program} exited with status {ended.returncode}")
