from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.accounts.user import User
from famichat.app.environment.check import Check
from famichat.cli.operator.doctor.data import checks
from famichat.cli.operator.opened_data import open_for_writing
from famichat.push.subscription import Subscription, subscribe
from famichat.settings import Settings
from famichat.storage.data_dir import DataDir
from tests.support.operator import Operator
from tests.support.push_service import Browser


def test_disks_clock_push_and_public_url_are_checked(at_home: Operator) -> None:
    found = _checks(Settings(data_dir=at_home.data_dir))

    assert found["disk space"].status in {Check.OK, Check.NOTE}
    assert found["clock"].status == found["push services"].status == found["public URL"].status == Check.OK
    assert "no server is running" in found["public URL"].detail


def test_the_public_url_is_checked_while_a_server_runs(at_home: Operator) -> None:
    with DataDir(at_home.data_dir).lock():
        found = _checks(Settings(data_dir=at_home.data_dir, public_url="http://127.0.0.1:1"))

    assert (found["public URL"].status, "does not answer" in found["public URL"].detail) == (Check.NOTE, True)


def test_the_push_services_of_subscribed_devices_are_checked(at_home: Operator) -> None:
    keys = Browser("http://127.0.0.1:1/secret").subscription()
    given = Subscription.parse(keys["endpoint"], **keys["keys"])
    settings = Settings(data_dir=at_home.data_dir)
    with open_for_writing(settings) as data:

        def write(session: Session) -> None:
            device = add_device(session, session.scalars(select(User.id)).one(), "Phone")
            subscribe(session, device.id, given, data.vault, data.index)

        data.database.run(write)

    found = _checks(settings)["push services"]

    assert (found.status, "127.0.0.1 not reachable" in found.detail) == (Check.BAD, True)
    assert "secret" not in found.detail


def test_data_that_does_not_exist_yet_is_no_obstacle(tmp_path: Path) -> None:
    found = _checks(Settings(data_dir=tmp_path / "data"))

    assert {"disk space", "clock", "push services", "public URL"} <= found.keys()


def _checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in checks(settings)}
