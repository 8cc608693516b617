"""The web pages of the real application."""

import pytest

from famichat.endpoint.pages.pages import CONTENT_SECURITY_POLICY
from tests.support.app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("path", ["/", "/invite", "/events"])
async def test_a_page_loads_nothing_from_anywhere_else(shared_app: RunningApp, path: str) -> None:
    async with shared_app.site() as site:
        answer = await site.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_page_may_use_the_microphone_and_play_only_its_own_media(shared_app: RunningApp) -> None:
    async with shared_app.site() as site:
        answer = await site.get("/")

    assert "microphone=(self)" in answer.headers["permissions-policy"].split(", ")
    assert "media-src 'self' blob:" in answer.headers["content-security-policy"].split("; ")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/" + "a" * 250,
        "/assets/" + "a" * 5000,
        "/" + "%C3%A9" * 200,
        "/%00",
        "/assets/%00.js",
        "/assets/..%2f..%2fsettings.py",
        "/assets/%2e%2e%2fpages.py",
        "/..%5c..%5csettings.py",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/assets/%ff%fe",
        "/assets/.",
        "/assets",
        "/.env",
        "/.git/config",
    ],
)
async def test_only_page_files_are_served(shared_app: RunningApp, path: str) -> None:
    async with shared_app.site() as site:
        answer = await site.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_address_with_an_additional_slash_is_not_found(shared_app: RunningApp) -> None:
    """A redirect would be built from the Host header, without HTTPS behind a proxy, and a client would follow it."""
    async with shared_app.site(shared_app.home.maja) as site:
        for path in ("/api/v1/me/", "/assets/", "/events/", "/metrics/"):
            assert (await site.get(path, headers={"host": "evil.example"})).status_code == 404, path


async def test_the_icon_is_also_at_the_default_address_of_browsers(shared_app: RunningApp) -> None:
    async with shared_app.site() as site:
        answer = await site.get("/favicon.ico")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
