import shutil
from pathlib import Path

from famichat.storage.integrity import find_damage


def test_a_whole_database_has_no_damage(migrated_sqlite: Path) -> None:
    assert find_damage(migrated_sqlite) is None


def test_a_damaged_or_missing_file_is_found(migrated_sqlite: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "famichat.db"
    shutil.copy(migrated_sqlite, damaged)
    content = bytearray(damaged.read_bytes())
    content[4096 : 4096 * 3] = b"\xff" * 4096 * 2
    damaged.write_bytes(content)

    assert find_damage(damaged)
    assert find_damage(tmp_path / "missing.db")
