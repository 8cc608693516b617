"""The HTTP middleware of the real application."""

from collections.abc import AsyncIterator

import httpx
import pytest

from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.endpoint.http.middleware import MAX_REQUEST_BYTES, SECURITY_HEADERS
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_answer_carries_the_security_headers(shared_app: RunningApp) -> None:
    async with httpx.AsyncClient(base_url=shared_app.url, timeout=30) as client:
        for path in ("/healthz", "/api/v1/me", "/nowhere/at/all", "/api/openapi.json"):
            answer = await client.get(path)
            for name, value in SECURITY_HEADERS.items():
                assert answer.headers[name.decode()] == value.decode(), (path, name)
            assert "server" not in answer.headers


async def test_no_response_of_the_api_stays_in_a_cache(shared_app: RunningApp) -> None:
    messages = f"/conversations/{shared_app.talks.self}/messages"
    async with shared_app.http(shared_app.home.maja) as http:
        answers = [await http.get(path) for path in ("/me", "/people", "/families", "/conversations", messages)]
        answers.append(await http.post(messages, json={"body": "hello"}))
        answers.append(await http.post("/sessions", json={"username": "maja", "password": PASSWORD}))
        answers.append(await http.post("/sessions", json={"username": "maja", "password": "wrong"}))

    assert [each.status_code for each in answers] == [200] * 5 + [201, 201, 401]
    assert {each.headers["cache-control"] for each in answers} == {"no-store"}


async def test_a_request_that_announces_too_much_is_refused_before_it_is_read(shared_app: RunningApp) -> None:
    async with shared_app.http() as client:
        answer = await client.post("/sessions", content=b"x" * (MAX_REQUEST_BYTES + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


async def test_a_request_that_does_not_say_how_much_it_brings_is_cut_off(shared_app: RunningApp) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    async with shared_app.http() as client:
        answer = await client.post("/sessions", content=endless(), headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/api/v1/setup", "/api/openapi.json"])
async def test_head_gets_the_headers_of_get_and_no_body(shared_app: RunningApp, path: str) -> None:
    async with shared_app.site() as site:
        get, head = await site.get(path), await site.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "PROPFIND"])
async def test_a_method_that_an_address_does_not_have_is_refused_with_those_that_it_has(
    shared_app: RunningApp, method: str
) -> None:
    async with shared_app.site() as site:
        conversation = await site.request(method, "/api/v1/conversations/1")
        healthz = await site.request(method, "/healthz")
        sessions = await site.request(method, "/api/v1/sessions")
        of_a_kind = [await site.request(method, f"/api/v1/conversations/{kind}") for kind in CONVERSATION_TYPES]

    assert {each.status_code for each in (conversation, healthz, sessions, *of_a_kind)} == {405}
    assert {each.headers["allow"] for each in of_a_kind} == {"POST"}
    assert conversation.json()["code"] == "method_not_allowed"
    assert conversation.headers["allow"] == "GET, HEAD, PATCH"
    assert healthz.headers["allow"] == "GET, HEAD"
    assert sessions.headers["allow"] == "POST"


OVERSIZED = [
    ("POST", "/sessions", 4096),
    ("POST", "/sessions/refresh", 4096),
    ("POST", "/setup", 4096),
    ("POST", "/invites/x/accept", 4096),
    ("POST", "/sessions/passkey", 16 * 1024),
    ("PUT", "/me/push", 16 * 1024),
    ("POST", "/conversations/1/messages", MAX_REQUEST_BYTES),
    ("PATCH", "/attachments/1", 8 * 1024 * 1024),
    ("PUT", "/me/picture", 8 * 1024 * 1024),
]


@pytest.mark.parametrize(("method", "path", "limit"), OVERSIZED, ids=[path for _, path, _ in OVERSIZED])
async def test_each_route_limits_its_body(shared_app: RunningApp, method: str, path: str, limit: int) -> None:
    async with shared_app.http(shared_app.home.maja) as client:
        accepted = await client.request(method, path, content=b" " * limit)
        refused = await client.request(method, path, content=b" " * (limit + 1))

    assert accepted.status_code != 413
    assert (refused.status_code, refused.json()["code"]) == (413, "request_too_large")


async def test_a_body_is_parsed_only_with_a_signed_token(shared_app: RunningApp) -> None:
    async with shared_app.http() as stranger, shared_app.http(shared_app.home.maja) as maja:
        path, json = "/conversations/1/messages", {"content-type": "application/json"}
        from_stranger = await stranger.post(path, content=b"{", headers=json)
        from_maja = await maja.post(path, content=b"{", headers=json)

    assert (from_stranger.status_code, from_stranger.json()["code"]) == (401, "unauthorized")
    assert (from_maja.status_code, from_maja.json()["code"]) == (400, "invalid_json")


async def test_an_error_lists_few_fields_with_short_names(shared_app: RunningApp) -> None:
    async with shared_app.http(shared_app.home.maja) as client:
        fields = {f"{number}{'x' * 200}": 1 for number in range(1000)}
        many = await client.post("/conversations/group", json=fields)

    assert many.json()["code"] == "invalid_request"
    assert len(many.json()["errors"]) == 5
    assert len(many.content) < 2048
