"""The sample configurations of load balancers keep each family on one server, with the real balancers."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.server import _free_port

SAMPLES = Path(__file__).parents[2] / "deploy" / "balancers"
NGINX = (
    "daemon off; pid {folder}/pid; error_log {folder}/error; events {{}} "
    "http {{ access_log off; {paths} include {file}; }}"
)
NGINX_PATHS = " ".join(
    f"{each}_temp_path {{folder}}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


class Backend(BaseHTTPRequestHandler):
    """Answers each request with the port of its server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = str(self.server.server_port).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backends() -> Iterator[tuple[int, int]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Backend) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
    yield servers[0].server_port, servers[1].server_port
    for server in servers:
        server.shutdown()
        server.server_close()


def command(program: str, folder: Path, port: int, backends: tuple[int, int]) -> list[str]:
    """Return how to run a balancer with its sample, changed to the ports of the test."""
    name = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}[program]
    sample = (SAMPLES / name).read_text()
    sample = sample.replace("10.0.0.1:4000", f"127.0.0.1:{backends[0]}")
    sample = sample.replace("10.0.0.2:4000", f"127.0.0.1:{backends[1]}")
    for listen, own in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("bind :80", f"bind 127.0.0.1:{port}"),
        ("\nchat.example.org {", f"\n{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{"),
    ):
        sample = sample.replace(listen, own)
    file = folder / name
    file.write_text(sample)
    if program == "nginx":
        main = folder / "main.conf"
        main.write_text(NGINX.format(folder=folder, file=file, paths=NGINX_PATHS.format(folder=folder)))
        return ["/usr/sbin/nginx", "-c", str(main)]
    if program == "haproxy":
        return ["/usr/sbin/haproxy", "-db", "-f", str(file)]
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)]


@contextmanager
def running(program: str, folder: Path, backends: tuple[int, int]) -> Iterator[httpx.Client]:
    port = _free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command(program, folder, port, backends),
            stdout=log,
            stderr=log,
            env={"HOME": str(folder), "PATH": "/usr/bin:/usr/sbin:/bin"},
        )
    try:
        retrying = httpx.HTTPTransport(retries=8)  # until it listens
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=retrying, timeout=30) as http:
            yield http
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("program", ["nginx", "haproxy", "caddy"])
def test_a_balancer_keeps_each_family_on_one_server(program: str, tmp_path: Path, backends: tuple[int, int]) -> None:
    homes: Counter[str] = Counter()
    with running(program, tmp_path, backends) as http:
        for family in range(0, 256, 8):
            cookie = {"cookie": f"other=1; famichat_affinity={family:02x}"}
            answers = {http.get("/", headers=cookie).raise_for_status().text for _ in range(3)}
            assert len(answers) == 1
            homes.update(answers)
        strangers = {http.get("/").raise_for_status().text for _ in range(3)}

    assert set(homes) == {str(port) for port in backends}
    assert len(strangers) == 1, "without a cookie, the address decides"
