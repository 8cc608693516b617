"""A move copies every row to the other kind of database, also if it is killed, and marks both databases."""

import os
import signal
from collections.abc import Callable, Iterator
from itertools import chain, count, groupby
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import famichat.cli.operator.tables  # noqa: F401 - registers every table
from famichat.chat.records.reaction import Reaction
from famichat.storage import move as move_module
from famichat.storage.base import Base, now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from famichat.storage.move import MoveDiffers, TargetNotEmpty, move
from famichat.storage.opening import check_connection, open_database
from famichat.storage.problems import DatabaseUnusable
from tests.factories.people import Household
from tests.factories.talk import direct_of, say
from tests.support.effort import repetitions
from tests.support.operator import Operator
from tests.support.postgres import Postgres
from tests.support.warm import start

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


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "must start with sqlite:/// or postgresql://"),
        ("sqlite://relative.db", "must name a file"),
        ("postgresql://localhost:abc/famichat", "must have a valid host name and port"),
    ],
)
def test_the_command_names_what_is_wrong_with_the_new_database(tmp_path: Path, url: str, sentence: str) -> None:
    refused = Operator(tmp_path / "data").run("move", "--to", url)

    assert (refused.exit_code, sentence in refused.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


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


def test_a_move_that_is_killed_at_any_commit_leaves_one_database_that_can_be_used_at_most(
    postgres: Postgres, tmp_path: Path
) -> None:
    there, back = postgres.create("moved_through_kills"), f"sqlite:///{tmp_path / 'back.db'}"
    first, second = Operator(tmp_path / "data"), Operator(tmp_path / "data", there)
    first("user", "add", "anna", "--password-stdin", given="a long enough one\n")
    users = first("user", "list")

    for source, target, url in ((first, second, there), (second, Operator(tmp_path / "data", back), back)):
        left = [usable(source, target) for _ in killed_at_commits(source, url)]

        assert [state for state, _ in groupby(left)] == [
            (True, False),  # up to the comparison, only the source can be used
            (False, False),  # killed between its last two commits, the move can only be continued
            (False, True),
        ]
        assert target("user", "list") == users


def killed_at_commits(source: Operator, url: str) -> Iterator[None]:
    """Repeat a move that is killed one commit later each time, until it is complete."""
    tables = len(Base.metadata.sorted_tables)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    for step in chain(range(1, tables, repetitions(tables // 2, long=1)), count(tables + repetitions(6, long=0))):
        command = (str(step), "move", "--to", url)
        with (source.data_dir.parent / "log").open("wb") as log:
            process = start(
                "tests.support.killed_at_commit",
                *command,
                environment=environment | source.settings,
                stdout=log,
                stderr=log,
            )
            code = process.wait(60)
        yield
        if code == 0:
            return
        assert code == -signal.SIGKILL, (source.data_dir.parent / "log").read_text()


def usable(source: Operator, target: Operator) -> tuple[bool, bool]:
    """Return whether a server would start with each of the databases."""
    return can_start(source), can_start(target)


def can_start(place: Operator) -> bool:
    """Return whether the database is neither moved nor incomplete."""
    url = place.settings["FAMICHAT_DATABASE_URL"] or f"sqlite:///{place.data_dir / 'famichat.db'}"
    database = Database(url)
    try:
        with database.migrating() as connection:
            check_connection(connection, DataDir(place.data_dir))
    except DatabaseUnusable:
        return False
    finally:
        database.close()
    return True


def test_a_moved_database_is_not_moved_to_a_second_one(database: Database, target: Database, tmp_path: Path) -> None:
    move(database, target, lambda _table, _rows: None)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")

    with pytest.raises(DatabaseUnusable) as refused:
        move(database, other, lambda _table, _rows: None)
    other.close()
    assert refused.value.code == "database_moved"
    assert move(database, target, lambda _table, _rows: None)["history"].rows == 1, "the end can be repeated"
