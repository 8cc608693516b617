"""Tokens are refreshed when they have expired: each refresh token once, and none is lost."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from famichat.client import Ambiguous, Client, Refused, SavedSession, Session, SignedOut, Unreachable, sign_in
from famichat.client.http import Http
from tests.factories.people import PASSWORD
from tests.support import leaks
from tests.support.app import RunningApp
from tests.support.cutting_proxy import CuttingProxy


async def signed_in(app: RunningApp, folder: Path, *, expired: bool = True, url: str | None = None) -> SavedSession:
    """Maja's session in a file; its access token is worthless if `expired`."""
    saved = SavedSession(folder / "session.json")
    session = await sign_in(url or app.url, app.home.maja.username, PASSWORD, device_name="bot", saved=saved)
    leaks.remember(session.refresh_token, "refresh_token")
    if expired:
        saved.save(replace(session, access_token="expired"))
    return saved


def stored(saved: SavedSession) -> Session:
    session = saved.load()
    assert session is not None
    return session


async def test_an_expired_token_is_refreshed_and_the_new_token_is_saved(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path)
    before = stored(saved)
    async with Http(saved) as http:
        me = await http.get("/me")

        assert stored(saved) == http.session
    assert me["id"] == before.user_id
    assert http.session.refresh_token != before.refresh_token


async def test_requests_at_the_same_time_refresh_once(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path)
    async with Http(saved) as one, Http(saved) as other:
        await asyncio.gather(*(http.get("/me") for http in (one, other) for _ in range(5)))
        await one.refresh(one.session.access_token)
        await other.get("/me")


async def test_a_refresh_completes_although_its_caller_is_cancelled_and_the_client_closed(
    app: RunningApp, tmp_path: Path
) -> None:
    saved = await signed_in(app, tmp_path)
    async with Http(saved) as http:
        asking = asyncio.create_task(http.get("/me"))
        while http._refreshing is None:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    async with Http(saved) as http:
        await http.get("/me")

    assert stored(saved).access_token != "expired"


async def test_tokens_that_another_process_has_refreshed_are_used(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path, expired=False)
    newer = stored(saved)
    saved.save(replace(newer, access_token="expired", refresh_token="used already"))
    async with Http(saved) as http:
        saved.save(newer)
        await http.get("/me")

        assert http.session == newer


async def test_another_account_in_the_file_is_not_used(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path)
    async with Http(saved) as http:
        await sign_in(app.url, app.home.emil.username, PASSWORD, device_name="bot", saved=saved)
        with pytest.raises(SignedOut):
            await http.get("/me")


async def test_a_refresh_while_the_server_is_away_keeps_the_token(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path)
    there = stored(saved)
    async with Http(replace(there, url="http://127.0.0.1:1")) as away:
        with pytest.raises(Unreachable):
            await away.refresh("expired")
    async with Http(saved) as http:
        await http.get("/me")


async def test_a_refresh_whose_request_did_not_arrive_is_repeated(app: RunningApp, tmp_path: Path) -> None:
    async with CuttingProxy(int(app.url.rpartition(":")[2])) as proxy:
        saved = await signed_in(app, tmp_path, url=proxy.url)
        async with Http(saved) as http:
            proxy.cut_before(b"invalid_token")  # the answer to the expired token, so before the refresh
            with pytest.raises(Unreachable):
                await http.get("/me")
            await http.get("/me")


async def test_a_refresh_whose_response_was_lost_is_repeated(app: RunningApp, tmp_path: Path) -> None:
    async with CuttingProxy(int(app.url.rpartition(":")[2])) as proxy:
        saved = await signed_in(app, tmp_path, url=proxy.url)
        async with Http(saved) as http:
            proxy.cut_before(b'"refresh_token"')
            await http.get("/me")
            assert proxy.cuts == 1


async def test_a_request_whose_response_was_lost_is_repeated_and_creates_nothing_twice(
    app: RunningApp, tmp_path: Path
) -> None:
    async with CuttingProxy(int(app.url.rpartition(":")[2])) as proxy:
        proxy.cut_before(b'"refresh_token"')
        saved = await signed_in(app, tmp_path, url=proxy.url, expired=False)
        async with Http(saved) as http:
            proxy.cut_before(b'"token"')
            await http.post(f"/families/{app.home.family_id}/invites", {})
            invites = await http.get(f"/families/{app.home.family_id}/invites")
            devices = await http.get("/devices")

    assert proxy.cuts == 2
    assert len(invites["invites"]) == 1
    assert [each["name"] for each in devices["devices"]] == ["maja's phone", "bot"]


async def test_an_ended_session_is_signed_out(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path, expired=False)
    async with Http(saved) as http:
        await http.request("DELETE", "/sessions/current")
        with pytest.raises(SignedOut) as signed_out:
            await http.get("/me")

    assert signed_out.value.code == "invalid_token"


async def test_a_socket_is_opened_with_a_refreshed_token(app: RunningApp, tmp_path: Path) -> None:
    saved = await signed_in(app, tmp_path)
    async with Client(saved) as client, client.conversation(f"message:group:{app.talks.group}") as group:
        async with asyncio.timeout(10):
            await group.send("hello")

    assert stored(saved).access_token != "expired"


async def test_a_command_without_a_session_asks_to_sign_in(tmp_path: Path) -> None:
    with pytest.raises(SignedOut) as signed_out:
        Http(SavedSession(tmp_path / "none.json"))
    assert signed_out.value.code == "unauthorized"


async def test_a_wrong_password_is_refused(app: RunningApp) -> None:
    with pytest.raises(Refused) as refused:
        await sign_in(app.url, "maja", "not this one", device_name="bot")
    assert refused.value.code == "invalid_credentials"
    assert not refused.value.is_transient


async def test_a_refusal_names_the_field(app: RunningApp) -> None:
    async with Http(Session(app.url, app.token(app.home.maja))) as http:
        with pytest.raises(Refused) as refused:
            await http.send(app.talks.group, "")

    assert (refused.value.code, refused.value.details) == ("invalid_message", {"field": "body"})


async def test_a_conversation_is_found_by_id_topic_name_and_type(app: RunningApp) -> None:
    group = app.talks.group
    async with Http(Session(app.url, app.token(app.home.maja))) as http:
        for wanted in (group, f"message:group:{group}", "Holiday", "group"):
            assert (await http.find_conversation(wanted))["id"] == group
        with pytest.raises(Refused):
            await http.find_conversation("Work")
        assert app.home.emil.user_id in [each["user_id"] for each in await http.people()]


@pytest.mark.parametrize("page_size", [1, 3, 200])
async def test_each_conversation_is_found_once_on_pages_of_any_size(app: RunningApp, page_size: int) -> None:
    async with Http(Session(app.url, app.token(app.home.maja))) as http:
        paged = [each async for each in http.each_conversation(page_size=page_size)]

        assert paged == await http.conversations()
        assert [each async for each in http.each_conversation(archived=True, page_size=page_size)] == []


async def test_a_conversation_that_becomes_active_while_a_client_pages_is_found(app: RunningApp) -> None:
    async with Http(Session(app.url, app.token(app.home.maja))) as http:
        listed = [each["id"] for each in await http.conversations()]
        paged: list[str] = []
        async for each in http.each_conversation(page_size=2):
            if not paged:
                await http.send(listed[-1], "hej")
            paged.append(each["id"])

    assert paged == listed


async def test_the_list_of_conversations_and_a_search_in_it_read_pages() -> None:
    pages = {None: ("1", "next"), "next": ("2", None)}
    requests: list[httpx.QueryParams] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request.url.params)
        name, following = pages[request.url.params.get("cursor")]
        found = {"id": name, "name": name, "type": "group"}
        return httpx.Response(200, json={"conversations": [found], "next_cursor": following})

    async with Http(Session("http://there", "token")) as http:
        http._http = httpx.AsyncClient(base_url="http://there/api/v1", transport=httpx.MockTransport(answer))
        listed = await http.conversations()
        second = await http.find_conversation("2")

    assert [each["id"] for each in listed] == ["1", "2"]
    assert second["id"] == "2"
    assert {params.get("limit") for params in requests} == {"200"}


async def test_a_name_of_two_conversations_is_ambiguous(app: RunningApp) -> None:
    others = [app.home.emil.user_id, app.home.inga.user_id]
    async with Http(Session(app.url, app.token(app.home.maja))) as http:
        await http.post("/conversations/group", {"name": "Holiday", "member_ids": others})
        with pytest.raises(Ambiguous) as ambiguous:
            await http.find_conversation("Holiday")
    assert ambiguous.value.code == "ambiguous"


async def test_a_message_is_sent_again_after_the_time_that_the_server_names() -> None:
    answers = [
        httpx.Response(429, json={"code": "rate_limited", "retry_in_ms": 20, "title": "Too often."}),
        httpx.Response(503, json={"code": "unavailable", "title": "Not now."}),
        httpx.Response(201, json={"message_id": "1"}),
    ]
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answers.pop(0)

    async with Http(Session("http://there", "token")) as http:
        http._http = httpx.AsyncClient(base_url="http://there/api/v1", transport=httpx.MockTransport(answer))
        sent = await http.send("c", "hello")

    assert sent == {"message_id": "1"}
    assert len({json.loads(request.content)["client_id"] for request in requests}) == 1
    assert len(requests) == 3
