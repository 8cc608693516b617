"""A move copies every row to the other kind of database, also if it is killed, and marks both databases."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import famichat.cli.operator.tables  # noqa: F401 - registers every table
from famichat.chat.records.reaction import Reaction
from famichat.storage import move as move_module
from famichat.storage.base import now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from famichat.storage.move import MoveDiffers, TargetNotEmpty, move
from famichat.storage.opening import open_database
from famichat.storage.problems import DatabaseUnusable
from tests.factories.people import Household
from tests.factories.talk import direct_of, say
from tests.support.operator import Operator
from tests.support.postgres import Postgres

KILLED_AFTER = (0, 1, 7, 14, 21, 27)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def target(database: Database, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the other kind."""
    if database.dialect == "postgresql":
        opened = Database(f"sqlite:///{tmp_path / 'target.db'}")
        yield opened
        opened.close()
        database.run(lambda session: session.execute(text("DROP TABLE IF EXISTS moved_to")))  # other tests empty tables
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    opened = Database(postgres.create("target_of_move"))
    yield opened
    opened.close()
    postgres.drop("target_of_move")


@pytest.fixture
def talk(database: Database, household: Household) -> list[str]:
    """Messages, of which the first replies to the last, whose id is greater."""

    def work(session: Session) -> list[str]:
        direct = direct_of(session, household)
        ids = say(session, direct, household.maja, *(f"message {number}" for number in range(12)))
        session.add(
            Reaction(
                message_id=ids[3],
                user_id=household.emil.user_id,
                emoji=b"sealed",
                reacted_at=now(),
                encryption_flag=False,
            )
        )
        reply = text("UPDATE messages SET reply_to_id = :to WHERE id = :id")
        session.execute(reply, {"to": ids[-1], "id": ids[0]})
        return ids

    return database.run(work)


def killed_after(steps: int) -> Callable[[str, int], None]:
    """Let so many transactions pass."""
    left = count(steps, -1)

    def on_progress(_table: str, _rows: int) -> None:
        if next(left) == 0:
            raise Killed

    return on_progress


def test_a_move_that_is_killed_at_many_points_ends_with_equal_tables(
    database: Database, target: Database, talk: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(move_module, "ROWS_AT_ONCE", 4)
    for steps in KILLED_AFTER:
        with pytest.raises(Killed):
            move(database, target, killed_after(steps))
        with pytest.raises(DatabaseUnusable) as refused:
            open_database(target.url.render_as_string(hide_password=False), DataDir(tmp_path / "new"))
        assert refused.value.code == "database_incomplete"
    digests = move(database, target, lambda _table, _rows: None)

    assert digests["messages"].rows == len(talk)
    assert digests["message_reactions"].rows == 1
    open_database(target.url.render_as_string(hide_password=False), DataDir(tmp_path / "new")).close()
    with pytest.raises(DatabaseUnusable) as moved:
        open_database(database.url.render_as_string(hide_password=False), DataDir(tmp_path / "old"))
    assert moved.value.code == "database_moved"


def test_a_difference_is_found_and_the_source_stays_in_use(
    database: Database, target: Database, talk: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(move_module, "_copy_references", lambda *_: None)

    with pytest.raises(MoveDiffers, match="messages"):
        move(database, target, lambda _table, _rows: None)
    open_database(database.url.render_as_string(hide_password=False), DataDir(tmp_path / "old")).close()


def test_a_database_in_use_is_no_target(database: Database, target: Database) -> None:
    upgrade(target)

    with pytest.raises(TargetNotEmpty):
        move(database, target, lambda _table, _rows: None)


def test_the_command_moves_a_server_and_the_old_database_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    before = Operator(tmp_path / "data")
    before("user", "add", "anna", "--password-stdin", given="a long enough one\n")
    users = before("user", "list")
    url = postgres.create("moved_by_command")
    before("move", "--to", url)
    after = Operator(tmp_path / "data", url)

    assert before.refused("migrate") == "database_moved"
    assert after("user", "list") == users
    after("user", "add", "bo", "--password-stdin", given="a long enough one\n")
    assert after.refused("move", "--to", f"sqlite:///{tmp_path / 'data' / 'famichat.db'}") == "not_empty"
    after("move", "--to", f"sqlite:///{tmp_path / 'back.db'}")
    assert len(Operator(tmp_path / "data", f"sqlite:///{tmp_path / 'back.db'}")("user", "list")) > 0
