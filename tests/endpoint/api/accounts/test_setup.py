import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from famichat.settings import Settings
from tests.factories.people import SECRET
from tests.support.app import VAULT_KEYS, RunningApp, served

SETUP = {"family_name": "Sundqvist", "username": "Maja", "password": "knäckebröd med ost", "email": "maja@example.org"}


class New:
    """A server without users, its setup code, and an HTTP client."""

    def __init__(self, http: httpx.AsyncClient, code: str) -> None:
        self.http = http
        self.code = code

    async def set_up(self, **changes: Any) -> httpx.Response:
        return await self.http.post("/setup", json={"code": self.code, **SETUP, **changes})


@pytest.fixture
async def new(database_url: str, tmp_path: Path) -> AsyncIterator[New]:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path / "data",
            "database_url": database_url,
            "port": 0,
            "secret_key": SECRET,
            "vault_keys": VAULT_KEYS,
            "rate_limits": "off",
        }
    )
    async with served(settings) as ready, httpx.AsyncClient(base_url=f"{ready.url}/api/v1", timeout=30) as http:
        assert ready.setup_code is not None
        yield New(http, ready.setup_code)


async def test_the_first_person_sets_the_server_up_and_is_signed_in(new: New) -> None:
    assert (await new.http.get("/setup")).json() == {"needed": True, "address": None, "email": False}

    answer = await new.set_up()

    assert answer.status_code == 201, answer.text
    arrived = answer.json()
    assert arrived["user"]["username"] == "Maja"
    me = (await new.http.get("/me", headers={"authorization": f"Bearer {arrived['access_token']}"})).json()
    assert (me["email"], me["id"]) == ("maja@example.org", arrived["user"]["id"])
    assert [(each["id"], each["name"], each["role"]) for each in me["families"]] == [
        (arrived["family_id"], "Sundqvist", "admin")
    ]
    assert (await new.http.get("/setup")).json() == {"needed": False, "address": None, "email": False}


async def test_a_code_is_typed_by_people(new: New) -> None:
    assert (await new.set_up(code=f" {new.code.lower()} ")).status_code == 201


@pytest.mark.parametrize("code", ["", "AAAA-AAAA", "ÅÄÖ", "\u0000x", "a" * 3_000])
async def test_a_wrong_code_sets_nothing_up(new: New, code: str) -> None:
    answer = await new.set_up(code=code)

    expected = (400, "invalid_json") if "\0" in code else (403, "invalid_setup_code")
    assert (answer.status_code, answer.json()["code"]) == expected
    assert (await new.http.get("/setup")).json() == {"needed": True, "address": None, "email": False}


async def test_the_code_works_once(new: New) -> None:
    await new.set_up()

    for code in (new.code, "AAAA-AAAA"):
        answer = await new.set_up(code=code, username="eve", email=None)
        assert (answer.status_code, answer.json()["code"]) == (409, "already_set_up")


async def test_one_of_five_concurrent_setups_succeeds(new: New) -> None:
    answers = await asyncio.gather(*(new.set_up(username=f"person {n}", email=None) for n in range(5)))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"username": "ma/ja"}, "invalid_username"),
        ({"email": "maja"}, "invalid_email"),
        ({"password": "password123"}, "weak_password"),
        ({"password": "maja"}, "weak_password"),
        ({"family_name": " "}, "invalid_name"),
        ({"device_name": ""}, "invalid_device_name"),
        ({"admin": True}, "invalid_request"),
        ({"username": None}, "invalid_request"),
    ],
)
async def test_a_refused_field_is_named_and_the_code_stays_valid(new: New, changes: dict[str, Any], code: str) -> None:
    answer = await new.set_up(**changes)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await new.set_up()).status_code == 201


async def test_a_server_with_a_family_in_it_has_no_code(app: RunningApp) -> None:
    async with app.http() as http:
        assert (await http.get("/setup")).json() == {"needed": False, "address": None, "email": False}
        answer = await http.post("/setup", json={"code": "AAAA-AAAA", **SETUP})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_set_up")


def test_the_keys_of_the_tests_are_those_of_the_household() -> None:
    assert base64.b64encode(b"\x07" * 32).decode() in VAULT_KEYS
