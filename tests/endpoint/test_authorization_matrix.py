"""The authorization matrix: the permissions of every route and every socket event.

A route or an event that is missing from it fails the test: each new one declares who may use it.
"""

import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session
from websockets.exceptions import InvalidStatus

from famichat.accounts.device import add_device, revoke_device
from famichat.accounts.profile import set_avatar
from famichat.actions.rate_limit import LIMITS, Limit
from famichat.chat.families.join import invite
from famichat.chat.families.membership import remove_member
from famichat.chat.groups.membership import add_to_group
from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.endpoint.channels.message_channel import MessageChannel
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import PASSWORD, VAULT, Person, join, person
from tests.factories.talk import attach, say
from tests.support.app import RunningApp, running_app
from tests.support.channel_client import ChannelClient

Statuses = tuple[int, int, int, int, int]
ALL: Statuses = (200, 200, 200, 200, 200)
IN_GROUP: Statuses = (200, 200, 404, 404, 404)
IN_FAMILY: Statuses = (200, 200, 200, 404, 404)
ADMIN_OF_GROUP: Statuses = (200, 403, 404, 404, 404)
ADMIN_OF_FAMILY: Statuses = (200, 403, 403, 404, 404)


@dataclass(frozen=True, slots=True)
class Stage:
    """The users of the table and the resources that they request.

    Maja administers the family and the group; Emil is a plain member of both; Nils is of the family, but not in the
    group; Inga was in both until a moment ago; Ada is of another family. Olle, of both, is whom they do it to.
    """

    app: RunningApp
    ids: Mapping[str, Any]
    revoked: Person

    @property
    def people(self) -> tuple[Person, ...]:
        """The columns of the table."""
        home = self.app.home
        return home.maja, home.emil, home.nils, home.inga, home.ada


@dataclass(frozen=True, slots=True)
class Row:
    """One route, and what Maja, Emil, Nils, Inga and Ada get; `{names}` in it are of the `Stage`.

    `nobody`: the status for requests without a token or with the token of a revoked device.
    """

    verb: str
    route: str
    expected: Statuses
    body: Mapping[str, Any] | None = None
    path: str = ""
    no_one: int = 401
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verb} {self.path or self.route}"


def of(kind: str, rest: str = "") -> str:
    return f"/conversations/{{{kind}}}{rest}"


SUBSCRIPTION = {
    "endpoint": "https://push.example.org/a",
    "keys": {
        # The browser's keys in RFC 8291, appendix A.
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
CONVERSATION = "/conversations/{conversation_id}"
MESSAGE = f"{CONVERSATION}/messages/{{message_id}}"
ATTACHMENT = "/attachments/{attachment_id}"
COMMIT = {"generation": 0, "commit": "AAAA", "group_info": "AAAA"}
AT_THE_START = {"upload-offset": "0"}
MATRIX = [
    Row("get", "/setup", ALL, no_one=200),
    Row("post", "/setup", (409,) * 5, {"code": "x", "family_name": "x", "username": "x", "password": "x"}, no_one=409),
    Row("post", "/sessions", (401,) * 5, {"username": "maja", "password": "wrong"}),
    Row("post", "/sessions/refresh", (401,) * 5, {"refresh_token": "wrong"}),
    Row("post", "/sessions/passkey/options", ALL, no_one=200),
    Row("post", "/sessions/passkey", (401,) * 5, {"credential": {}}),
    Row("delete", "/sessions/current", (204,) * 5),
    Row("get", "/me", ALL),
    Row("delete", "/me", (409, 204, 204, 204, 204), {"password": PASSWORD}),  # Maja is the last admin of others
    Row("patch", "/me", ALL, {"color": "sea"}),
    Row(
        "put",
        "/me/password",
        (204, 204, 204, 204, 204),
        {"current_password": PASSWORD, "new_password": PASSWORD},
    ),
    Row("put", "/me/picture", (422,) * 5, {"no": "picture"}),
    Row("delete", "/me/picture", ALL),
    Row("get", "/people", ALL),
    Row("get", "/people/{user_id}/pictures/{picture_id}", IN_FAMILY),
    Row("patch", "/me/notices", ALL, {}),
    Row("patch", "/me/privacy", ALL, {}),
    Row("get", "/me/ledger", ALL),
    Row("get", "/push/key", ALL),
    Row("get", "/me/push", ALL),
    Row("patch", "/me/push", ALL, {}),
    Row("put", "/me/push", (204,) * 5, SUBSCRIPTION),
    Row("delete", "/me/push", (204,) * 5),
    Row("post", "/me/push/test", ALL),
    Row("get", "/me/blocks", ALL),
    Row("put", "/me/blocks/{user_id}", (204, 204, 204, 404, 404)),
    Row("delete", "/me/blocks/{user_id}", (204, 204, 204, 404, 404)),
    # Ada comes first, and a key belongs to one device.
    Row("put", "/me/keys", (422, 422, 422, 422, 200), {"signature_key": "A" * 43, "hpke_key": "A" * 43}),
    Row("put", "/me/key-packages", (422,) * 5, {"packages": []}),  # they have no keys
    Row("get", "/users/{user_id}/keys", IN_FAMILY),
    Row("get", "/me/welcomes", ALL),
    Row("delete", "/me/welcomes/{welcome_id}", (204,) * 5, path="/me/welcomes/{device_id}"),
    Row("post", "/key-shares", (404,) * 5, {"to_device_id": "{olles_device}", "ciphertext": "AAAA"}),  # it has no keys
    Row("get", "/me/key-shares", ALL),
    Row("delete", "/me/key-shares/{share_id}", (204,) * 5, path="/me/key-shares/{device_id}"),
    Row("post", "/me/key-requests", (422,) * 5, {}),  # they have no keys
    Row("get", "/key-requests", ALL),
    Row("get", "/devices", ALL),
    Row("delete", "/devices/{device_id}", (404, 204, 404, 404, 404)),
    Row("get", "/me/passkeys", ALL),
    Row("post", "/me/passkeys/options", ALL, {"password": PASSWORD}),
    Row("post", "/me/passkeys", (422, 422, 422, 422, 422), {"credential": {}}),
    Row("delete", "/me/passkeys/{passkey_id}", (404, 404, 404, 404, 404), path="/me/passkeys/{device_id}"),
    Row("get", "/families", ALL),
    Row("get", "/families/{family_id}/members", IN_FAMILY),
    Row("put", "/families/{family_id}/members/{user_id}", ADMIN_OF_FAMILY, {"role": "member"}),
    Row("delete", "/families/{family_id}/members/{user_id}", (204, 403, 403, 404, 404)),
    Row("get", "/families/{family_id}/members/{user_id}/devices", ADMIN_OF_FAMILY),
    Row(
        "delete",
        "/families/{family_id}/members/{user_id}/devices/{device_id}",
        (204, 403, 403, 404, 404),
        path="/families/{family_id}/members/{user_id}/devices/{olles_device}",
    ),
    *(
        Row(
            verb,
            f"/families/{{family_id}}/members/{{user_id}}/contacts{rest}",
            (status, status, status, 404, 404),
            path=f"/families/{{family_id}}/members/{{child}}/contacts{rest}",
        )
        for verb, rest, status in (("get", "", 200), ("put", "/{contact_id}", 204), ("delete", "/{contact_id}", 204))
    ),
    Row("put", "/families/{family_id}/members/{user_id}/reset-link", ADMIN_OF_FAMILY),
    Row("get", "/families/{family_id}/reset-agreements", ADMIN_OF_FAMILY),
    # No one here has been an admin for a week.
    Row("put", "/families/{family_id}/members/{user_id}/reset-agreement", (403, 403, 403, 404, 404)),
    Row("put", "/families/{family_id}/members/{user_id}/reset-agreement/consent", (403, 403, 403, 404, 404)),
    Row("delete", "/families/{family_id}/members/{user_id}/reset-agreement", (409, 403, 403, 404, 404)),
    Row("delete", "/me/password-reset", (204,) * 5),
    Row("put", "/password-reset", (404,) * 5, {"token": "x", "new_password": "correct horse battery"}, no_one=404),
    # The server of these tests sends no e-mail.
    Row("post", "/password-reset", (409,) * 5, {"name": "maja"}, no_one=409),
    Row("put", "/me/email", (204,) * 5, {"email": None, "current_password": PASSWORD}),
    Row("post", "/me/email/confirmation", (409,) * 5, {}),
    Row("put", "/email-confirmation", (404,) * 5, {"token": "x"}, no_one=404),
    Row("get", "/families/{family_id}/ledger", ADMIN_OF_FAMILY),
    Row("get", "/families/{family_id}/storage", ADMIN_OF_FAMILY),
    Row("get", "/families/{family_id}/backups", ADMIN_OF_FAMILY),
    Row("post", "/families/{family_id}/invites", (201, 403, 403, 404, 404), {}),
    Row("get", "/families/{family_id}/invites", ADMIN_OF_FAMILY),
    Row("delete", "/families/{family_id}/invites/{invite_id}", (204, 403, 403, 404, 404)),
    Row("post", "/invites/preview", ALL, {"token": "{token}"}, no_one=200),
    Row("post", "/invites/accept", (404, 404, 404, 404, 200), {"token": "{token}"}),
    Row("get", "/invites/{token}", ALL, no_one=200),
    Row("post", "/invites/{token}/accept", (404, 404, 404, 404, 200)),  # Ada comes first, and it works once
    Row("get", "/conversations", ALL),
    Row("post", "/conversations/self", (200, 201, 201, 201, 201)),
    Row("post", "/conversations/direct", (200, 422, 201, 404, 404), {"user_id": "{emil}", "family_id": "{family_id}"}),
    Row("post", "/conversations/direct", (201, 201, 201, 404, 404), {"user_id": "{user_id}"}),
    Row(
        "post",
        "/conversations/group",
        (201, 201, 201, 404, 404),
        {"name": "x", "member_ids": ["{user_id}", "{emil}", "{nils}"], "family_id": "{family_id}"},
    ),
    Row("post", "/conversations/family", IN_FAMILY, {"family_id": "{family_id}"}),
    Row("get", CONVERSATION, (200, 404, 404, 404, 404), path=of("self")),
    Row("get", CONVERSATION, IN_GROUP, path=of("direct")),
    Row("get", CONVERSATION, IN_GROUP, path=of("group")),
    Row("get", CONVERSATION, IN_FAMILY, path=of("family")),
    Row("patch", CONVERSATION, (409, 404, 404, 404, 404), {"name": "x"}, path=of("self")),
    Row("patch", CONVERSATION, (409, 409, 404, 404, 404), {"name": "x"}, path=of("direct")),
    Row("patch", CONVERSATION, ADMIN_OF_GROUP, {"name": "x"}, path=of("group")),
    Row("patch", CONVERSATION, ADMIN_OF_FAMILY, {"name": "x"}, path=of("family")),
    *(
        Row(verb, f"{CONVERSATION}/{flag}", IN_GROUP, path=of("group", f"/{flag}"))
        for verb in ("put", "delete")
        for flag in ("hidden", "archived", "muted", "pinned", "marked-unread")
    ),
    Row("post", f"{CONVERSATION}/members", (409, 409, 404, 404, 404), {"user_id": "{nils}"}, of("direct", "/members")),
    Row("post", f"{CONVERSATION}/members", (409, 409, 409, 404, 404), {"user_id": "{nils}"}, of("family", "/members")),
    Row("post", f"{CONVERSATION}/members", (201, 403, 404, 404, 404), {"user_id": "{nils}"}, of("group", "/members")),
    Row(
        "delete",
        f"{CONVERSATION}/members/{{user_id}}",
        (204, 403, 404, 404, 404),
        path=of("group", "/members/{user_id}"),
    ),
    Row(
        "put",
        f"{CONVERSATION}/members/{{user_id}}/role",
        ADMIN_OF_GROUP,
        {"role": "admin"},
        of("group", "/members/{user_id}/role"),
    ),
    Row("get", f"{CONVERSATION}/messages", (200, 404, 404, 404, 404), path=of("self", "/messages")),
    Row("get", f"{CONVERSATION}/messages", IN_GROUP, path=of("direct", "/messages")),
    Row("get", f"{CONVERSATION}/messages", IN_GROUP, path=of("group", "/messages")),
    Row("get", f"{CONVERSATION}/messages", IN_FAMILY, path=of("family", "/messages")),
    Row("post", f"{CONVERSATION}/messages", (201, 404, 404, 404, 404), {"body": "x"}, of("self", "/messages")),
    Row("post", f"{CONVERSATION}/messages", (201, 201, 404, 404, 404), {"body": "x"}, of("direct", "/messages")),
    Row("post", f"{CONVERSATION}/messages", (201, 201, 404, 404, 404), {"body": "x"}, of("group", "/messages")),
    Row("post", f"{CONVERSATION}/messages", (201, 201, 201, 404, 404), {"body": "x"}, of("family", "/messages")),
    Row("get", MESSAGE, IN_GROUP, path=of("group", "/messages/{message_id}")),
    Row("get", f"{MESSAGE}/edits", IN_GROUP, path=of("group", "/messages/{message_id}/edits")),
    Row("patch", MESSAGE, (403, 200, 404, 404, 404), {"body": "x"}, of("group", "/messages/{message_id}")),
    Row("delete", MESSAGE, (204, 204, 404, 404, 404), path=of("group", "/messages/{message_id}")),
    Row("put", f"{MESSAGE}/reaction", IN_GROUP, {"emoji": "❤"}, of("group", "/messages/{message_id}/reaction")),
    Row("delete", f"{MESSAGE}/reaction", IN_GROUP, path=of("group", "/messages/{message_id}/reaction")),
    Row("get", f"{CONVERSATION}/marks", IN_GROUP, path=of("group", "/marks")),
    *(
        Row(verb, f"{MESSAGE}/pin", (204, 403, 404, 404, 404), path=of("group", "/messages/{message_id}/pin"))
        for verb in ("put", "delete")
    ),
    *(
        Row(verb, f"{MESSAGE}/{mark}", (204, 204, 404, 404, 404), path=of("group", f"/messages/{{message_id}}/{mark}"))
        for verb in ("put", "delete")
        for mark in ("star", "hidden")
    ),
    Row("get", f"{CONVERSATION}/changes", (200, 404, 404, 404, 404), path=of("self", "/changes")),
    Row("get", f"{CONVERSATION}/changes", IN_GROUP, path=of("direct", "/changes")),
    Row("get", f"{CONVERSATION}/changes", IN_GROUP, path=of("group", "/changes")),
    Row("get", f"{CONVERSATION}/changes", IN_FAMILY, path=of("family", "/changes")),
    *(
        Row("get", f"{CONVERSATION}/mls{rest}", expected, path=of(kind, f"/mls{rest}{query}"))
        for kind, expected in (("self", (200, 404, 404, 404, 404)), ("group", IN_GROUP), ("family", IN_FAMILY))
        for rest, query in (("", ""), ("/commits", "?generation=0&after_epoch=0"))
    ),
    Row("post", f"{CONVERSATION}/mls/key-packages", IN_GROUP, path=of("group", "/mls/key-packages")),
    Row("post", f"{CONVERSATION}/mls", (409, 409, 404, 404, 404), COMMIT, of("group", "/mls")),
    Row(
        "post",
        f"{CONVERSATION}/mls/commits",
        (409, 409, 404, 404, 404),
        {**COMMIT, "epoch": 1},
        of("group", "/mls/commits"),
    ),
    Row("post", f"{CONVERSATION}/attachments", (201, 404, 404, 404, 404), {"size": 1}, of("self", "/attachments")),
    Row("post", f"{CONVERSATION}/attachments", (201, 201, 404, 404, 404), {"size": 1}, of("direct", "/attachments")),
    Row("post", f"{CONVERSATION}/attachments", (201, 201, 404, 404, 404), {"size": 1}, of("group", "/attachments")),
    Row("post", f"{CONVERSATION}/attachments", (201, 201, 201, 404, 404), {"size": 1}, of("family", "/attachments")),
    Row("get", ATTACHMENT, IN_GROUP),
    Row("get", ATTACHMENT, (200, 404, 404, 404, 404), path="/attachments/{upload_id}"),
    Row("get", f"{ATTACHMENT}/address", IN_GROUP),
    Row("get", f"{ATTACHMENT}/address", (404,) * 5, path="/attachments/{upload_id}/address"),  # it is not whole
    Row("patch", ATTACHMENT, (200, 404, 404, 404, 404), path="/attachments/{upload_id}", headers=AT_THE_START),
    Row("patch", ATTACHMENT, (409, 409, 404, 404, 404), headers=AT_THE_START),  # it is whole, and sent
    Row("delete", ATTACHMENT, (204, 404, 404, 404, 404), path="/attachments/{upload_id}"),
    Row("delete", ATTACHMENT, (404,) * 5),  # it was sent
    Row("put", f"{ATTACHMENT}/poster", (404,) * 5, {"no": "picture"}),  # it was sent, and is no video
    Row("get", "/me/storage", ALL),
    Row(
        "post",
        "/test/broadcast",
        IN_GROUP,
        {"conversation_type": "group", "conversation_id": "{group}", "body": "x"},
    ),
]

EVENTS: Mapping[str, Mapping[str, Any]] = {
    "new_msg": {"body": "x"},
    "edit_msg": {"message_id": "{own}", "body": "y"},
    "react": {"message_id": "{own}", "emoji": "❤"},
    "delete_msg": {"message_id": "{own}"},
    "message_ack": {"seq": 1},
    "fetch": {},
    "fetch_changes": {},
    "typing": {"typing": True},
    "decrypt_failed": {"message_id": "{own}"},
}
MAY_JOIN = {
    "self": (True, False, False, False, False),
    "direct": (True, True, False, False, False),
    "group": (True, True, False, False, False),
    "family": (True, True, True, False, False),
}


@pytest.fixture
async def stage(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(migrated_sqlite, tmp_path) as staging:
        yield staging


@asynccontextmanager
async def staged(migrated: Path, folder: Path, **settings: str) -> AsyncIterator[Stage]:
    shutil.copy(migrated, folder / "famichat.db")
    url = f"sqlite:///{folder / 'famichat.db'}"
    async with running_app(url, folder, **settings) as app:
        database = Database(url)
        ids, revoked = database.run(lambda session: set_up(session, app))
        database.close()
        yield Stage(app, ids, revoked)


def set_up(session: Session, app: RunningApp) -> tuple[dict[str, Any], Person]:
    home, talks = app.home, app.talks
    olle = person(session, "olle")
    join(session, home.family_id, olle)
    child = person(session, "siri")
    join(session, home.family_id, child, "child")
    add_to_group(session, home.maja.user_id, talks.group, olle.user_id)
    remove_member(session, home.maja.user_id, home.family_id, home.inga.user_id)
    issued = invite(session, home.maja.user_id, home.family_id, "member")
    lost = add_device(session, home.maja.user_id, "Maja's old phone")
    revoke_device(session, home.maja.user_id, lost.id)
    [sent] = say(session, talks.group, home.maja, "look")
    ids = {kind: getattr(talks, kind) for kind in CONVERSATION_TYPES} | {
        "family_id": home.family_id,
        "user_id": olle.user_id,
        "child": child.user_id,
        "contact_id": olle.user_id,
        "device_id": home.emil.device_id,
        "olles_device": olle.device_id,
        "picture_id": set_avatar(session, olle.user_id, b"RIFF", VAULT).profile.picture_id,
        "emil": home.emil.user_id,
        "nils": home.nils.user_id,
        "token": issued.token,
        "invite_id": issued.invite.id,
        "message_id": say(session, talks.group, home.emil, "hej")[0],
        "attachment_id": attach(session, talks.group, home.maja, sent),
        "upload_id": attach(session, talks.group, home.maja),
    }
    return ids, Person(home.maja.user_id, lost.id, "maja")


async def ask(
    stage: Stage, client: httpx.AsyncClient, who: Person | None, row: Row, ids: Mapping[str, Any]
) -> httpx.Response:
    path = (row.path or row.route).format(**ids)
    body = None if row.body is None else {name: filled(value, ids) for name, value in row.body.items()}
    headers = {**row.headers} | ({} if who is None else {"authorization": f"Bearer {stage.app.token(who)}"})
    return await client.request(row.verb, path, json=body, headers=headers)


def filled(value: Any, ids: Mapping[str, Any]) -> Any:
    match value:
        case list():
            return [filled(each, ids) for each in value]
        case dict():
            return {name: filled(each, ids) for name, each in value.items()}
        case str():
            return value.format(**ids)
        case _:
            return value


@pytest.mark.parametrize("row", MATRIX, ids=str)
async def test_a_route_works_for_the_intended_users_only(stage: Stage, row: Row) -> None:
    async with stage.app.http() as client:
        for no_one in (None, stage.revoked):
            assert (await ask(stage, client, no_one, row, stage.ids)).status_code == row.no_one, no_one

        # The least privileged user comes first, so that no earlier request can cause the refusal.
        for who, expected in reversed(list(zip(stage.people, row.expected, strict=True))):
            answer = await ask(stage, client, who, row, stage.ids)
            assert answer.status_code == expected, (who.username, answer.text)
            if expected == 404:
                absent = await ask(stage, client, who, row, absent_instead(stage.ids))
                assert answer.content == absent.content, who.username


def absent_instead(ids: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name == "token" else new_id() for name, value in ids.items()} | {"token": "nonsense"}


async def test_every_route_is_in_the_table(stage: Stage) -> None:
    async with stage.app.site() as site:
        paths = (await site.get("/api/openapi.json")).json()["paths"]

    there = {(verb, path.removeprefix("/api/v1")) for path, verbs in paths.items() for verb in verbs}
    assert {(row.verb, row.route) for row in MATRIX} == there


async def test_every_route_has_a_limit(migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = {"/setup"}  # GET is cheap, and clients send it before they have an account
    for name in LIMITS:
        monkeypatch.setitem(LIMITS, name, Limit(burst=0, per_second=1))

    async with staged(migrated_sqlite, tmp_path, rate_limits="on") as stage, stage.app.http() as client:
        for row in MATRIX:
            if row.verb == "get" and row.route in unlimited:
                continue
            answer = await ask(stage, client, stage.app.home.maja, row, stage.ids)
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited"), row
            assert answer.headers["retry-after"] == "1"


async def test_no_request_may_bring_a_field_that_is_not_described(stage: Stage) -> None:
    """Undocumented fields, such as type, role, family, sender, seq or time, are refused."""
    async with stage.app.site() as site:
        document = (await site.get("/api/openapi.json")).json()

    schemas = re.findall(r"'requestBody': {'content': {'application/json': .*?schemas/(\w+)", repr(document["paths"]))
    assert len(schemas) >= 14
    for name in schemas:
        assert document["components"]["schemas"][name]["additionalProperties"] is False, name


@pytest.mark.parametrize("kind", CONVERSATION_TYPES)
async def test_a_conversation_is_open_to_its_members_only(stage: Stage, kind: str) -> None:
    topic = f"message:{kind}:{stage.ids[kind]}"
    for who, may in zip(stage.people, MAY_JOIN[kind], strict=True):
        async with stage.app.connect(who) as client:
            joined = await client.assert_reply(await client.send_join(topic), "ok" if may else "error")

            if not may:
                assert joined.response == {"reason": "not_found"}, who.username
            own = new_id()
            for event, payload in EVENTS.items():
                if may and event == "typing":
                    await client.push(topic, event, dict(payload))  # is never answered
                    continue
                answer = await client.ask(topic, event, filled(dict(payload), {"own": own}))
                own = answer.response.get("message_id", own)
                assert answer.status == ("ok" if may else "error"), (who.username, event, answer)
                assert may or answer.response == {"reason": "unmatched topic"}


async def test_the_right_conversation_under_another_type_is_not_found(stage: Stage) -> None:
    async with stage.app.connect(stage.app.home.maja) as maja:
        for kind in CONVERSATION_TYPES:
            for other in CONVERSATION_TYPES:
                topic = f"message:{other}:{stage.ids[kind]}"
                if other != kind:
                    assert await maja.join(topic, status="error") == {"reason": "not_found"}, topic


async def test_a_user_topic_is_for_that_user_only(stage: Stage) -> None:
    for who in stage.people:
        async with stage.app.connect(who) as client:
            for whose in stage.people:
                await client.join(f"user:{whose.user_id}", status="ok" if whose is who else "error")


def test_every_event_is_in_the_table() -> None:
    assert set(EVENTS) == set(MessageChannel._HANDLERS)


@pytest.mark.parametrize("token", ["", "nonsense", "revoked"])
async def test_a_socket_requires_a_device(stage: Stage, token: str) -> None:
    shown = stage.app.token(stage.revoked) if token == "revoked" else token
    url = f"{stage.app.url}/socket"

    with pytest.raises(InvalidStatus) as by_url:
        async with ChannelClient.connect(url, token=shown):
            pass
    with pytest.raises(InvalidStatus) as by_header:
        async with ChannelClient.connect(url, auth_token=shown):
            pass
    async with stage.app.site() as site:
        polled = await site.get("/socket/longpoll", params={"vsn": "2.0.0", "token": shown})

    assert by_url.value.response.status_code == by_header.value.response.status_code == 403
    assert polled.json() == {"status": 403}
