"""Display name, colour and avatar over HTTP, and their broadcasts."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import update

from famichat.accounts.profile import ProfilePicture
from famichat.accounts.user import COLORS
from famichat.chat.families.membership import remove_member
from famichat.endpoint.api.accounts.profile import MAX_AVATAR_BYTES
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.telemetry.events import Event, ProfileChanged
from tests.factories.people import Person
from tests.support.app import RunningApp
from tests.support.photos import SECRETS, bomb, photo


async def people(app: RunningApp, who: Person) -> dict[str, dict[str, Any]]:
    async with app.http(who) as http:
        return {each["user_id"]: each for each in (await http.get("/people")).json()["people"]}


async def put(http: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await http.put("/me/picture", content=data)


async def test_a_profile_is_visible_to_the_family_and_at_every_sign_in(app: RunningApp) -> None:
    inga = app.home.inga
    async with app.http(inga) as http:
        answer = await http.patch("/me", json={"display_name": "Grandma Inga 🌻", "color": "rose"})
        me = (await http.get("/me")).json()
        roster = (await http.get(f"/families/{app.home.family_id}/members")).json()["members"]

    shown = {"username": "inga", "display_name": "Grandma Inga 🌻", "color": "rose", "picture": None}
    assert (answer.status_code, answer.json()) == (200, {"user_id": inga.user_id, **shown})
    assert {name: me[name] for name in shown} == shown
    assert [{name: each[name] for name in shown} for each in roster if each["user_id"] == inga.user_id] == [shown]
    assert (await people(app, app.home.maja))[inga.user_id] == {"user_id": inga.user_id, **shown}


async def test_people_are_those_who_share_a_family_or_a_conversation(app: RunningApp) -> None:
    home = app.home
    assert set(await people(app, home.maja)) == {each.user_id for each in home.everyone}
    assert set(await people(app, home.ada)) == {home.ada.user_id}

    database = Database(app.settings.effective_database_url)
    database.run(lambda session: remove_member(session, home.maja.user_id, home.family_id, home.nils.user_id))
    database.close()

    assert set(await people(app, home.nils)) == {home.nils.user_id}
    assert home.nils.user_id not in await people(app, home.maja)


async def test_profile_changes_reach_all_contacts_at_once_and_no_one_else(app: RunningApp) -> None:
    home = app.home
    async with (
        app.http(home.inga) as http,
        app.connect(home.maja) as maja,
        app.connect(home.inga) as inga,
        app.connect(home.ada) as ada,
    ):
        for client, who in ((maja, home.maja), (inga, home.inga), (ada, home.ada)):
            await client.join(f"user:{who.user_id}")
        person = (await http.patch("/me", json={"display_name": "Gran"})).json()

        for client, who in ((maja, home.maja), (inga, home.inga)):
            received = await client.assert_broadcast(f"user:{who.user_id}", "person_updated")
            assert received.payload == {"person": person}
        await ada.refute_broadcast(f"user:{home.ada.user_id}", "person_updated")


async def test_an_unchanged_profile_is_announced_to_no_one(app: RunningApp, emitted: list[Event]) -> None:
    home = app.home
    async with app.http(home.inga) as http, app.connect(home.maja) as maja:
        await maja.join(f"user:{home.maja.user_id}")
        for body in ({}, {"display_name": None}, {"color": None}):
            assert (await http.patch("/me", json=body)).status_code == 200
        assert (await http.delete("/me/picture")).status_code == 200

        await maja.refute_broadcast(f"user:{home.maja.user_id}", "person_updated")
    assert not [each for each in emitted if isinstance(each, ProfileChanged)]


async def test_telemetry_says_that_something_changed_and_not_what_it_is(app: RunningApp, emitted: list[Event]) -> None:
    async with app.http(app.home.inga) as http:
        await http.patch("/me", json={"display_name": "Grandma Inga", "color": "sea"})
        await put(http, photo())

    received = [each for each in emitted if isinstance(each, ProfileChanged)]
    assert [(each.display_name_changed, each.color_changed, each.picture_changed) for each in received] == [
        (True, True, False),
        (False, False, True),
    ]
    assert not [each for each in emitted if "Grandma" in str(each)]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"display_name": ""}, 422, "invalid_display_name"),
        ({"display_name": "🌻"}, 422, "invalid_display_name"),
        ({"display_name": "\N{RIGHT-TO-LEFT OVERRIDE}ajam"}, 422, "invalid_display_name"),
        ({"display_name": "a" * 3000}, 422, "invalid_display_name"),
        ({"display_name": "MAJA 🌷"}, 409, "display_name_taken"),
        ({"display_name": 5}, 422, "invalid_request"),
        ({"color": "#ff0000"}, 422, "invalid_request"),
        ({"username": "gran"}, 422, "invalid_request"),
    ],
)
async def test_an_invalid_display_name_is_refused_with_its_code(
    app: RunningApp, body: dict[str, Any], status: int, code: str
) -> None:
    async with app.http(app.home.inga) as http:
        answer = await http.patch("/me", json=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await people(app, app.home.inga))[app.home.inga.user_id]["display_name"] is None


async def test_every_colour_can_be_chosen(app: RunningApp) -> None:
    async with app.http(app.home.inga) as http:
        chosen = [(await http.patch("/me", json={"color": color})).json()["color"] for color in COLORS]

    assert tuple(chosen) == COLORS


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "image/webp", "image/heic"])
async def test_a_picture_is_cut_square_made_small_and_says_nothing_of_where_it_was_taken(
    app: RunningApp, content_type: str
) -> None:
    data = photo(content_type, (800, 400))
    assert SECRETS.search(data)
    async with app.http(app.home.inga) as http:
        person = (await put(http, data)).json()
    async with app.site(app.home.maja) as site:
        got = await site.get(person["picture"])

    assert (got.status_code, got.headers["content-type"]) == (200, "image/webp")
    assert got.headers["cache-control"] == "no-store"
    assert "sandbox" in got.headers["content-security-policy"]
    assert not SECRETS.search(got.content)
    assert Image.open(io.BytesIO(got.content)).size == (256, 256)


async def test_a_small_picture_is_not_blown_up(app: RunningApp) -> None:
    async with app.http(app.home.inga) as http, app.site(app.home.inga) as site:
        got = await site.get((await put(http, photo(size=(60, 90)))).json()["picture"])

    assert Image.open(io.BytesIO(got.content)).size == (60, 60)


async def test_a_new_picture_has_a_new_address_and_the_former_one_leads_nowhere(app: RunningApp) -> None:
    async with app.http(app.home.inga) as http, app.site(app.home.maja) as site:
        first = (await put(http, photo())).json()["picture"]
        second = (await put(http, photo("image/png"))).json()["picture"]
        former, present = await site.get(first), await site.get(second)
        removed = (await http.delete("/me/picture")).json()
        after = await site.get(second)

    assert first != second
    assert [each.status_code for each in (former, present, after)] == [404, 200, 404]
    assert removed["picture"] is None


async def test_an_avatar_is_visible_to_contacts_only(app: RunningApp) -> None:
    async with app.http(app.home.inga) as http:
        address = (await put(http, photo())).json()["picture"]
    wrong = [address.replace(app.home.inga.user_id, app.home.maja.user_id), f"{address[:-36]}{new_id()}"]
    async with app.site(app.home.maja) as maja, app.site(app.home.ada) as ada, app.site() as no_one:
        answers = [await maja.get(each) for each in (*wrong, f"{address[:-36]}nonsense")] + [await ada.get(address)]
        assert (await no_one.get(address)).status_code == 401

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}
    assert len({each.content for each in answers}) == 1


async def test_a_damaged_avatar_is_named_and_not_given_out(app: RunningApp) -> None:
    async with app.http(app.home.inga) as http:
        address = (await put(http, photo())).json()["picture"]
    database = Database(app.settings.effective_database_url)
    database.run(lambda session: session.execute(update(ProfilePicture).values(sealed=b"damaged" * 9)))
    database.close()
    async with app.site(app.home.maja) as maja:
        answer = await maja.get(address)

    assert (answer.status_code, answer.json()["code"]) == (410, "file_damaged")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "picture_unreadable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "picture_unreadable"),
        (photo()[:300], 422, "picture_unreadable"),
        (bomb(), 422, "picture_too_large"),
        (b"\xff\xd8\xff" + bytes(MAX_AVATAR_BYTES), 413, "request_too_large"),
    ],
    ids=["nothing", "a drawing", "half a photo", "a bomb", "too large"],
)
async def test_an_invalid_avatar_is_refused_and_the_previous_one_stays(
    app: RunningApp, data: bytes, status: int, code: str
) -> None:
    async with app.http(app.home.inga) as http:
        before = (await put(http, photo())).json()["picture"]
        answer = await put(http, data)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await people(app, app.home.inga))[app.home.inga.user_id]["picture"] == before
