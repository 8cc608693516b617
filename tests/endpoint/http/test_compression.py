"""Compressed responses, as they arrive on the wire."""

import gzip
import re
import zlib

import httpx
import pytest
from starlette.routing import Route

from famichat.endpoint.http.app import build_api
from famichat.endpoint.http.compression import is_compressible, preferred
from famichat.endpoint.http.operation_ids import OPERATION_IDS
from famichat.endpoint.pages import downloads, pages
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp

FIRST_LOAD_BYTES = 130_000
BROWSER = "gzip, deflate, br, zstd"
ASSETS = pages._STATIC / "assets"
SCRIPT = next(ASSETS.glob("index-*.js"), None)
needs_pages = pytest.mark.skipif(SCRIPT is None, reason="the web client is not built")


async def wire(app: RunningApp, path: str, coding: str = BROWSER, **headers: str) -> tuple[httpx.Response, bytes]:
    """Maja's response, and its body as it was sent."""
    headers = {"accept-encoding": coding, "authorization": f"Bearer {app.token(app.home.maja)}", **headers}
    # Not `app.site()`, which decodes each response to look for secrets.
    async with (
        httpx.AsyncClient(base_url=app.url, timeout=30) as site,
        site.stream("GET", path, headers=headers) as got,
    ):
        return got, b"".join([part async for part in got.aiter_raw()])


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("identity", None),
        ("*;q=0", None),
        ("gzip;q=2, br;q=x", None),
        ("gzip;level=9", None),
        (",;,", None),
    ],
)
def test_the_client_chooses_the_coding_by_weight(header: str, coding: str | None) -> None:
    assert preferred(header, ["br", "gzip"]) == coding


@needs_pages
@pytest.mark.asyncio(loop_scope="module")
async def test_each_coding_of_an_asset_is_a_representation_of_its_own(shared_app: RunningApp) -> None:
    assert SCRIPT is not None
    path, content = f"/assets/{SCRIPT.name}", SCRIPT.read_bytes()
    async with shared_app.site() as site:
        brotli, brotli_body = await wire(shared_app, path, "br")
        zipped, zipped_body = await wire(shared_app, path, "gzip")
        plain, plain_body = await wire(shared_app, path, "identity")
        head = await site.head(path, headers={"accept-encoding": "br"})
        part, part_body = await wire(shared_app, path, "br", range="bytes=0-9")

    assert brotli_body == SCRIPT.with_name(f"{SCRIPT.name}.br").read_bytes()
    assert gzip.decompress(zipped_body) == plain_body == content
    assert len(brotli_body) < len(zipped_body) < len(content) / 2
    answers = (brotli, zipped, plain)
    assert [each.headers.get("content-encoding") for each in answers] == ["br", "gzip", None]
    assert [int(each.headers["content-length"]) for each in answers] == [
        len(brotli_body),
        len(zipped_body),
        len(content),
    ]
    assert len({each.headers["etag"] for each in answers}) == len(answers)
    for each in (*answers, part):
        assert (each.headers["vary"], each.headers["content-type"]) == (
            "Accept-Encoding",
            "text/javascript; charset=utf-8",
        )
        assert "immutable" in each.headers["cache-control"]
    assert (head.content, head.headers["content-length"]) == (b"", brotli.headers["content-length"])
    assert (part.status_code, part_body, part.headers["etag"]) == (206, content[:10], plain.headers["etag"])


@needs_pages
@pytest.mark.asyncio(loop_scope="module")
async def test_the_compressed_files_have_no_address_of_their_own(shared_app: RunningApp) -> None:
    assert SCRIPT is not None
    async with shared_app.site() as site:
        answers = [await site.get(f"/assets/{SCRIPT.name}{suffix}") for suffix in (".br", ".gz")]

    assert [each.status_code for each in answers] == [404, 404]


@needs_pages
@pytest.mark.asyncio(loop_scope="module")
async def test_the_first_load_is_at_most_130_kb_on_the_wire(shared_app: RunningApp) -> None:
    font = next(ASSETS.glob("*-latin-wght-normal-*.woff2"))
    async with shared_app.site() as site:
        page = (await site.get("/")).text
        linked = re.findall(r'(?:src|href)="(/assets/[^"]+|/favicon.svg)"', page)
        bodies = [(await wire(shared_app, path))[1] for path in ("/", *linked, f"/assets/{font.name}")]

    assert len(linked) >= 5
    assert sum(map(len, bodies)) <= FIRST_LOAD_BYTES


@pytest.mark.asyncio(loop_scope="module")
async def test_json_over_one_kilobyte_is_compressed_unless_it_contains_a_secret(shared_app: RunningApp) -> None:
    messages = f"/api/v1/conversations/{shared_app.talks.self}/messages"
    async with shared_app.site(shared_app.home.maja) as site:
        for _ in range(5):
            await site.post(messages, json={"body": "hello " * 100})
        page, page_body = await wire(shared_app, messages)
        small, _ = await wire(shared_app, "/api/v1/families")
        listed, _ = await wire(shared_app, "/api/v1/conversations")
        document, document_body = await wire(shared_app, "/api/openapi.json")
        plain, _ = await wire(shared_app, "/api/openapi.json", "identity")
        head = await site.head("/api/openapi.json", headers={"accept-encoding": "gzip"})
        session = await site.post("/api/v1/sessions", json={"username": "maja", "password": PASSWORD})

    for answer, body in ((page, page_body), (document, document_body)):
        assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
        assert int(answer.headers["content-length"]) == len(body) < len(zlib.decompress(body, 31)) / 2
    assert head.headers["content-length"] == document.headers["content-length"]
    assert plain.headers["vary"] == "Accept-Encoding"
    for answer in (small, listed, plain, session):
        assert "content-encoding" not in answer.headers


@pytest.mark.asyncio(loop_scope="module")
async def test_the_size_of_a_compressed_response_with_personal_data_varies_at_random(shared_app: RunningApp) -> None:
    messages = f"/api/v1/conversations/{shared_app.talks.self}/messages"
    async with shared_app.site(shared_app.home.maja) as site:
        await site.post(messages, json={"body": "hello " * 500})

    assert len({len((await wire(shared_app, messages))[1]) for _ in range(8)}) > 1


COMPRESSED = {
    "/", "/api/docs", "/api/openapi.json", "/events", "/favicon.ico", "/favicon.svg", "/invite", "/reset",
    "/confirm-email", "/manifest.webmanifest", "/brand.css", "/worker.js", "/{name}",
    "/api/v1/people", "/api/v1/families", "/api/v1/families/{family_id}/members",
    "/api/v1/families/{family_id}/members/{user_id}/contacts",
    "/api/v1/conversations/{conversation_id}",
    "/api/v1/conversations/{conversation_id}/changes",
    "/api/v1/conversations/{conversation_id}/marks",
    "/api/v1/conversations/{conversation_id}/messages",
    "/api/v1/conversations/{conversation_id}/messages/{message_id}",
    "/api/v1/conversations/{conversation_id}/messages/{message_id}/edits",
}  # fmt: skip


def test_of_all_routes_only_these_are_compressed_because_they_contain_no_secret_beside_chosen_text() -> None:
    routes = [*build_api(test_endpoints=True).router.routes, *pages.router.routes, *downloads.router.routes]
    compressed = [route for route in routes if isinstance(route, Route) and is_compressible(route.endpoint)]

    assert {route.path for route in compressed} == COMPRESSED
    assert {method for route in compressed for method in route.methods or ()} <= {"GET", "HEAD"}
    assert len(routes) > len(OPERATION_IDS)
