from typing import Any

import pytest

from famichat.accounts.sign_in.token import Tokens
from tests.factories.people import SECRET
from tests.support.app import RunningApp


async def test_users_see_their_own_account_completely(app: RunningApp) -> None:
    maja = app.home.maja
    async with app.http(maja) as http:
        me = (await http.get("/me")).json()

    assert (me["id"], me["username"], me["email"]) == (maja.user_id, "maja", "maja@example.org")
    assert me["device_id"] == maja.device_id
    assert (me["confirmed_at"], me["last_login_at"]) == (None, None)
    assert me["inserted_at"].endswith("Z")
    assert [(each["id"], each["name"], each["role"]) for each in me["families"]] == [
        (app.home.family_id, "Sundqvist", "admin")
    ]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic bWFqYTpvc3Q=",
        "Bearer " + "a" * 5000,
        "Bearer " + Tokens("another secret, of another server").issue("0" * 36, "0" * 36),
        "Bearer " + Tokens(SECRET, clock=lambda: 0.0).issue("0" * 36, "0" * 36),
    ],
    # Explicit ids, because the token differs in each process that collects the tests.
    ids=["none", "empty", "no token", "nonsense", "basic", "long", "another server's", "expired"],
)
async def test_a_valid_token_is_required(app: RunningApp, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with app.http() as http:
        answers = [await http.get(path, headers=headers) for path in ("/me", "/devices", "/families")]

    scheme, _, token = (authorization or "").partition(" ")
    code = "invalid_token" if scheme == "Bearer" and token else "unauthorized"
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(401, code)}
    assert {each.headers["www-authenticate"] for each in answers} == {"Bearer"}


@pytest.mark.parametrize(
    ("body", "chosen"),
    [
        ({}, {}),
        ({"read_receipts": False}, {"read_receipts": False}),
        ({"typing_indicators": False, "presence": False}, {"typing_indicators": False, "presence": False}),
        ({"read": False, "typing": False}, {"read_receipts": False, "typing_indicators": False}),
    ],
)
async def test_privacy_settings_have_the_names_of_the_interface_and_the_earlier_ones(
    app: RunningApp, body: dict[str, Any], chosen: dict[str, bool]
) -> None:
    async with app.http(app.home.maja) as http:
        settings = (await http.patch("/me/privacy", json=body)).json()
        notices = (await http.get("/me")).json()["notices"]

    assert settings == {"read_receipts": True, "typing_indicators": True, "presence": True, **chosen}
    assert notices == {
        "read": settings["read_receipts"],
        "typing": settings["typing_indicators"],
        "presence": settings["presence"],
    }


@pytest.mark.parametrize(
    "body", [{"read": True, "read_receipts": True}, {"typing": False, "typing_indicators": True}, {"visible": True}]
)
async def test_a_privacy_setting_has_one_name_in_a_request(app: RunningApp, body: dict[str, Any]) -> None:
    async with app.http(app.home.maja) as http:
        answer = await http.patch("/me/privacy", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
