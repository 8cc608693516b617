"""A POST request whose response was lost is repeated: nothing is created twice, and the result is the same.

Every POST route of the OpenAPI document is in the table, and so is in `docs/protocol.md`.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, add_device
from famichat.chat.families.join import invite
from famichat.chat.records.conversation import Conversation
from famichat.endpoint.http.app import build_api
from famichat.settings import Settings
from famichat.storage.base import Base, new_id, now
from famichat.storage.database import Database
from tests.factories.people import PASSWORD, SECRET, Person
from tests.support.app import VAULT_KEYS, RunningApp, running_app, served
from tests.support.authenticator import Authenticator
from tests.support.mail_server import mail_server
from tests.support.mls import MlsAccount, MlsGroupModel, commit_json, published

API: Final = "/api/v1"
BY_KEY: Final = "`Idempotency-Key`"
RETRIES: Final = {
    "/setup": f"the setup code, the name and the password; {BY_KEY} for the device",
    "/sessions": BY_KEY,
    "/sessions/refresh": "the refresh token",
    "/sessions/passkey/options": "creates nothing",
    "/sessions/passkey": f"the assertion with {BY_KEY}",
    "/me/passkeys/options": "creates nothing",
    "/me/passkeys": "the credential",
    "/me/push/test": "creates nothing",
    "/me/email/confirmation": "the user",
    "/password-reset": "the account",
    "/families/{family_id}/invites": BY_KEY,
    "/invites/preview": "creates nothing",
    "/invites/accept": f"the invitation and the account; {BY_KEY} for the device",
    "/invites/{token}/accept": f"the invitation and the account; {BY_KEY} for the device",
    "/conversations/self": "the user",
    "/conversations/direct": "the two users and the family",
    "/conversations/group": BY_KEY,
    "/conversations/family": "the family",
    "/conversations/{conversation_id}/members": "the user",
    "/conversations/{conversation_id}/messages": f"`client_id`, or {BY_KEY}",
    "/conversations/{conversation_id}/attachments": BY_KEY,
    "/key-shares": "the device and the ciphertext",
    "/me/key-requests": "the device and the conversation",
    "/conversations/{conversation_id}/mls": "the commit",
    "/conversations/{conversation_id}/mls/commits": "the commit",
    "/conversations/{conversation_id}/mls/key-packages": "the device, until its key package is used",
}
"""By what a repeated request is recognized, for each POST route."""
SECRETS: Final = {"access_token", "refresh_token", "token", "url"}
REISSUED: Final = {"accounts_refresh_tokens"}
"""Tokens are not stored in clear text, so a repeated request gets new ones."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that is sent twice."""

    route: str
    who: Person | None
    path: str
    body: Any
    keyed: bool = False


def post_routes() -> dict[str, Any]:
    paths = build_api().openapi()["paths"]
    return {path.removeprefix(API): methods["post"] for path, methods in paths.items() if "post" in methods}


def test_every_post_route_is_in_the_table_and_in_the_protocol() -> None:
    _, section = Path("docs/protocol.md").read_text(encoding="utf-8").split("\n## 13. Retries\n")
    documented = dict(re.findall(r"^\| `POST /api/v1(\S+)` \| (.+?) \|", section, re.MULTILINE))

    assert set(post_routes()) == set(RETRIES)
    assert documented == RETRIES


def test_a_route_accepts_the_key_exactly_if_the_table_says_so() -> None:
    accepting = {
        path
        for path, operation in post_routes().items()
        if any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", ()))
    }

    assert accepting == {path for path, how in RETRIES.items() if BY_KEY in how}


async def test_a_repeated_request_creates_nothing_twice_and_returns_the_same(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    tested = {"/setup"}  # in a test of its own
    try:
        async with (
            mail_server() as mail,
            running_app(database_url, tmp_path, smtp_url=f"smtp://127.0.0.1:{mail.port}") as app,
        ):
            async for exchange in exchanges(app, database):
                await twice(app, database, exchange)
                tested.add(exchange.route)
    finally:
        database.close()

    assert tested == set(RETRIES)


async def exchanges(app: RunningApp, database: Database) -> AsyncIterator[Exchange]:
    """Yield at least one request for each route. Later ones depend on earlier ones."""
    home, group = app.home, f"/conversations/{app.talks.group}"
    maja = {"username": "maja", "password": PASSWORD, "device_name": "laptop"}
    yield Exchange("/sessions", None, "/sessions", maja, keyed=True)
    async with app.http() as stranger, app.http(home.maja) as owner:
        session = (await stranger.post("/sessions", json=maja)).json()
        refresh = {"refresh_token": session["refresh_token"]}
        yield Exchange("/sessions/refresh", None, "/sessions/refresh", refresh)
        key = Authenticator(app.url.replace("127.0.0.1", "localhost"))
        yield Exchange("/me/passkeys/options", home.maja, "/me/passkeys/options", {"password": PASSWORD})
        options = (await owner.post("/me/passkeys/options", json={"password": PASSWORD})).json()["options"]
        yield Exchange("/me/passkeys", home.maja, "/me/passkeys", {"credential": key.create(options)})
        yield Exchange("/sessions/passkey/options", None, "/sessions/passkey/options", {})
        options = (await stranger.post("/sessions/passkey/options", json={})).json()["options"]
        yield Exchange("/sessions/passkey", None, "/sessions/passkey", {"credential": key.get(options)}, keyed=True)
    yield Exchange("/me/push/test", home.maja, "/me/push/test", {})
    yield Exchange("/me/email/confirmation", home.maja, "/me/email/confirmation", {})
    yield Exchange("/password-reset", None, "/password-reset", {"name": "maja"})
    invites = f"/families/{home.family_id}/invites"
    yield Exchange("/families/{family_id}/invites", home.maja, invites, {}, keyed=True)
    for who, body in ((home.ada, {}), (None, {"username": "olle", "password": "a good long password"})):
        path = f"/invites/{new_invite(database, app)}/accept"
        yield Exchange("/invites/{token}/accept", who, path, body, keyed=who is None)
    token = {"token": new_invite(database, app)}
    yield Exchange("/invites/preview", None, "/invites/preview", token)
    sven = {"username": "sven", "password": "a good long password"}
    yield Exchange("/invites/accept", None, "/invites/accept", {**token, **sven}, keyed=True)
    yield Exchange("/conversations/self", home.emil, "/conversations/self", {})
    yield Exchange("/conversations/direct", home.emil, "/conversations/direct", {"user_id": home.nils.user_id})
    members = [home.emil.user_id, home.inga.user_id]
    new_group = {"name": "Trip", "member_ids": members}
    yield Exchange("/conversations/group", home.maja, "/conversations/group", new_group, keyed=True)
    yield Exchange("/conversations/family", home.maja, "/conversations/family", {})
    of_group = "/conversations/{conversation_id}"
    yield Exchange(f"{of_group}/members", home.maja, f"{group}/members", {"user_id": home.nils.user_id})
    message = {"body": "hej", "client_id": new_id()}
    yield Exchange(f"{of_group}/messages", home.maja, f"{group}/messages", message)
    yield Exchange(f"{of_group}/messages", home.maja, f"{group}/messages", {"body": "hej"}, keyed=True)
    notes, (model, tablet_id) = f"/conversations/{app.talks.self}/mls", database.run(partial(encrypted_notes, app))
    [device] = model.leaves.values()
    yield Exchange("/me/key-requests", home.maja, "/me/key-requests", {})
    yield Exchange("/key-shares", home.maja, "/key-shares", {"to_device_id": tablet_id, "ciphertext": "AAAA"})
    yield Exchange(f"{of_group}/mls/key-packages", home.maja, f"{notes}/key-packages", {"new_group": True})
    yield Exchange(f"{of_group}/mls", home.maja, notes, commit_json(model.commit(device)))
    model.advance()
    yield Exchange(f"{of_group}/mls/commits", home.maja, f"{notes}/commits", commit_json(model.commit(device)))
    yield Exchange(f"{of_group}/attachments", home.maja, f"{group}/attachments", {"size": 5}, keyed=True)


def encrypted_notes(app: RunningApp, session: Session) -> tuple[MlsGroupModel, str]:
    """Require encryption in Maja's notes to self, and give her a second device to add."""
    session.get_one(Conversation, app.talks.self).encryption_required = True
    month_ago = now() - timedelta(days=31)  # the sign-ins of other requests have published no keys
    session.execute(update(Device).values(last_seen_at=month_ago))
    account = MlsAccount(app.home.maja.user_id)
    device = published(session, app.home.maja, account=account)
    tablet = add_device(session, app.home.maja.user_id, "tablet")
    published(session, replace(app.home.maja, device_id=tablet.id), account=account)
    return MlsGroupModel(device), tablet.id


def new_invite(database: Database, app: RunningApp) -> str:
    def work(session: Session) -> str:
        return invite(session, app.home.maja.user_id, app.home.family_id).token

    return database.run(work)


async def twice(app: RunningApp, database: Database, exchange: Exchange) -> None:
    headers = {"idempotency-key": f'"{new_id()}"'} if exchange.keyed else {}
    async with app.http(exchange.who) as http:
        lost = await http.post(exchange.path, json=exchange.body, headers=headers)
        before = rows(database)
        repeated = await http.post(exchange.path, json=exchange.body, headers=headers)

    assert lost.is_success, (exchange.route, lost.text)
    assert repeated.is_success, (exchange.route, repeated.text)
    assert rows(database) == before, f"{exchange.route} created something twice"
    if not exchange.route.endswith("/options"):  # each challenge is new
        assert visible(repeated) == visible(lost), exchange.route


def rows(database: Database) -> dict[str, int]:
    def count(session: Session) -> dict[str, int]:
        tables = [each for each in Base.metadata.sorted_tables if each.name not in REISSUED]
        return {each.name: session.execute(select(func.count()).select_from(each)).scalar_one() for each in tables}

    return database.run_read(count)


def visible(response: httpx.Response) -> dict[str, Any]:
    content = response.json() if response.content else {}
    return {name: value for name, value in content.items() if name not in SECRETS}


async def test_setting_up_a_server_can_be_repeated(database_url: str, tmp_path: Path) -> None:
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
    password = "a good long password"
    body = {"code": "", "family_name": "Sundqvist", "username": "maja", "password": password}
    headers = {"idempotency-key": new_id()}
    async with served(settings) as ready, httpx.AsyncClient(base_url=f"{ready.url}{API}", timeout=30) as http:
        body["code"] = ready.setup_code or ""
        lost = await http.post("/setup", json=body, headers=headers)
        repeated = await http.post("/setup", json=body, headers=headers)
        others = [
            await http.post("/setup", json={**body, **change})
            for change in ({"password": "another password"}, {"username": "emil"}, {"code": "wrong"})
        ]
        bearer = {"authorization": f"Bearer {repeated.json()['access_token']}"}
        devices = (await http.get("/devices", headers=bearer)).json()["devices"]

    assert (lost.status_code, repeated.status_code) == (201, 201)
    assert visible(repeated) == visible(lost)
    assert len(devices) == 1
    assert {each.json()["code"] for each in others} == {"already_set_up"}


async def test_a_key_works_for_one_request_of_one_user(app: RunningApp) -> None:
    headers = {"idempotency-key": "guessable"}
    path = f"/conversations/{app.talks.group}/attachments"
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        first = await maja.post(path, json={"size": 5}, headers=headers)
        changed = await maja.post(path, json={"size": 6}, headers=headers)
        of_emil = await emil.post(path, json={"size": 5}, headers=headers)
        malformed = await maja.post(path, json={"size": 5}, headers={"idempotency-key": "two words"})
        await maja.delete(f"/attachments/{first.json()['id']}")
        again = await maja.post(path, json={"size": 5}, headers=headers)

    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    assert (malformed.status_code, malformed.json()["code"]) == (422, "invalid_request")
    assert len({each.json()["id"] for each in (first, of_emil, again)}) == 3, "a cancelled upload begins again"


async def test_only_the_new_member_can_repeat_the_acceptance_of_an_invitation(app: RunningApp) -> None:
    database = Database(app.settings.effective_database_url)
    token = new_invite(database, app)
    database.close()
    olle = {"username": "olle", "password": "a good long password"}
    async with app.http() as http:
        first = await http.post(f"/invites/{token}/accept", json=olle)
        others = [
            await http.post(f"/invites/{token}/accept", json={**olle, **change})
            for change in ({"password": "not the password"}, {"username": "maja"}, {"username": "new"})
        ]

    assert first.status_code == 201
    assert {(each.status_code, each.json()["code"]) for each in others} == {(404, "invalid_invite")}
