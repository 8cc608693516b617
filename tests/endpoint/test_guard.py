"""What every HTTP request passes, against the real application."""

from collections.abc import AsyncIterator

import httpx

from famichat.endpoint.guard import MAX_REQUEST_BYTES, SECURITY_HEADERS
from tests.support.app import RunningApp


async def test_every_answer_carries_the_security_headers(app: RunningApp) -> None:
    async with httpx.AsyncClient(base_url=app.url) as client:
        for path in ("/healthz", "/api/v1/me", "/nowhere/at/all", "/api/openapi.json"):
            answer = await client.get(path)
            for name, value in SECURITY_HEADERS.items():
                assert answer.headers[name.decode()] == value.decode(), (path, name)
            assert "server" not in answer.headers


async def test_a_request_that_announces_too_much_is_refused_before_it_is_read(app: RunningApp) -> None:
    async with app.http() as client:
        answer = await client.post("/sessions", content=b"x" * (MAX_REQUEST_BYTES + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


async def test_a_request_that_does_not_say_how_much_it_brings_is_cut_off(app: RunningApp) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    async with app.http() as client:
        answer = await client.post("/sessions", content=endless(), headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
