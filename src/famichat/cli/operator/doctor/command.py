"""`famichat doctor`: checks the data of a server and what surrounds it."""

from pathlib import Path

import click

from famichat.app.environment.check import Check
from famichat.cli.operator.doctor.data import checks
from famichat.cli.options import data_dir_option, json_option, print_result, table
from famichat.cli.refusal import Refused
from famichat.settings import load_settings


@click.command()
@data_dir_option
@json_option
def doctor(data_dir: Path | None, *, as_json: bool) -> None:
    """Check the settings, data directory, secrets, database, backups, disks, clock and network. Changes nothing.

    Each line that is not "ok" says what to do. Exits with 1 if a check failed ("bad"); a "note" is no failure.
    """
    found = list(checks(load_settings(data_dir=data_dir)))
    result = [{"check": each.name, "status": each.status, "detail": each.detail} for each in found]
    print_result({"checks": result}, table([(each.status, each.name, each.detail) for each in found]), as_json=as_json)
    if any(each.status == Check.BAD for each in found):
        raise Refused("not_well", "Some checks failed")
