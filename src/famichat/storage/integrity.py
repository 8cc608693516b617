"""Checks a SQLite database file for damage."""

import sqlite3
from contextlib import closing
from pathlib import Path


def find_damage(file: Path) -> str | None:
    """Return the first problem that SQLite finds in a database file, or None. The file is opened read-only."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else found
