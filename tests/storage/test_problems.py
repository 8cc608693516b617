"""The table of database problems, and its place in the documentation."""

import sqlite3
from pathlib import Path

from famichat.storage.problems import PROBLEMS, problem_of

RUNNING = (Path(__file__).parents[2] / "docs" / "running.md").read_text()


def test_every_problem_has_a_sentence_and_is_documented() -> None:
    assert [code for code in PROBLEMS if f"| `{code}` |" not in RUNNING and code != "unavailable"] == []
    assert all(problem.sentence and not problem.sentence.endswith(".") for problem in PROBLEMS.values())


def test_a_faulty_statement_is_no_problem_of_the_operator() -> None:
    assert problem_of(sqlite3.IntegrityError("UNIQUE constraint failed: messages.id")) is None
    assert problem_of(None) is None
