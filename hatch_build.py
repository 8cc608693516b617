"""The build hook: adds the built web client to the wheel and the sdist.

Git ignores the web client (`src/famichat/static`), so it is named here. If it is missing, the hook builds it with npm.
The sdist contains only the Brotli form of each file that has one, which keeps it below 1 MB; a wheel built from the
sdist restores the other forms and needs no Node.js.
"""

import gzip
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BROTLI, _GZIP = ".br", ".gz"


class WebClientHook(BuildHookInterface[BuilderConfig]):
    """Adds the web client to `build_data`; hatchling calls `initialize` before each build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build or restore the web client, and list its files as artifacts.

        Args:
            version: "standard" or "editable". An editable installation serves the files of the source tree.
            build_data: the paths in its `artifacts` are packaged although Git ignores them.

        Raises:
            RuntimeError: the web client is missing and cannot be built.
        """
        if version == "editable":
            return
        static = Path(self.root, "src", "famichat", "static")
        if not (static / "index.html").is_file():
            _build(Path(self.root, "web"))
        if self.target_name == "wheel":
            _restore(static)
            packaged = list(_files(static))
        else:
            packaged = [path for path in _files(static) if not _can_be_restored(path)]
        build_data["artifacts"] += [f"/{path.relative_to(self.root).as_posix()}" for path in packaged]


def _build(web: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or not (web / "package.json").is_file():
        raise RuntimeError(
            "The web client is not built. Building it needs the folder web/ and npm (Node.js 20 or newer)."
        )
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=web, check=True)  # noqa: S603 - constant arguments
    subprocess.run([npm, "run", "build"], cwd=web, check=True)  # noqa: S603 - constant arguments


def _files(static: Path) -> list[Path]:
    return sorted(path for path in static.rglob("*") if path.is_file() and path.name != ".built-from")


def _can_be_restored(path: Path) -> bool:
    original = path.with_suffix("") if path.suffix == _GZIP else path
    return path.suffix != _BROTLI and original.with_name(original.name + _BROTLI).is_file()


def _restore(static: Path) -> None:
    for compressed in static.rglob(f"*{_BROTLI}"):
        original = compressed.with_suffix("")
        if original.is_file():
            continue
        brotli = import_module("brotli")  # here, because an editable installation does without it
        content = brotli.decompress(compressed.read_bytes())
        original.write_bytes(content)
        original.with_name(original.name + _GZIP).write_bytes(gzip.compress(content, mtime=0))
