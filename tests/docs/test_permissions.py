"""Each cell of the permission table in docs/permissions.md matches a running server."""

import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from websockets.exceptions import InvalidStatus

from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.chat.conversations.leave import leave_direct
from famichat.chat.families.family import create_family
from famichat.chat.families.join import invite
from famichat.chat.families.membership import remove_member
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.groups.roles import assign_admin
from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.storage.database import Database
from tests.factories.people import INDEX, Person, join, person
from tests.factories.talk import say
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient

PAGE = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text()
ITSELF = "the family"
ENDED = "ended direct"
OWN, THEIRS = "own", "somebody else's"

Act = Callable[["Scene"], Awaitable[str]]


def rows() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Parse the table: resource, action and the outcome per actor."""
    [block] = re.findall(r"^(\| resource \| action \|.*\n(?:\|.*\n)+)", PAGE, re.MULTILINE)
    header, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    for of, action, *cells in lines:
        yield of, action, {who: cell.strip("`") for who, cell in zip(header[2:], cells, strict=True)}


TABLE = {(of, action): cells for of, action, cells in rows()}


@dataclass(frozen=True, slots=True)
class House:
    """A family and a stranger, with a conversation of each type.

    Maja and Inga administer it and its group, Emil and Sven are members of both. Nils was in the group, Olle in the
    family; Gun is of the family and was never in the group. Ada is a stranger. Siri is the child of the family. Nils
    has left his direct conversation with Emil.
    """

    people: dict[str, Person]
    family_id: str
    invite_id: str
    talks: dict[str, str]
    sent: dict[tuple[str, str], str]


class Scene:
    """An actor who requests something from one conversation or from the family."""

    def __init__(self, app: RunningApp, house: House, of: str, actor: str | None) -> None:
        self.people = house.people
        self.house = house
        self.of = of
        self.actor = None if actor is None else house.people[actor]
        self._app = app

    @property
    def it(self) -> str:
        """The conversation, or the family."""
        if self.of == ITSELF:
            return f"/families/{self.house.family_id}"
        return f"/conversations/{self.house.talks[self.of]}"

    @property
    def own_place(self) -> str:
        """The actor's path in it."""
        return self.place("emil") if self.actor is None else f"{self.it}/members/{self.actor.user_id}"

    def place(self, who: str) -> str:
        return f"{self.it}/members/{self.people[who].user_id}"

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        """Send a request; return `yes` or the error code."""
        async with self._app.http(self.actor) as http:
            answer = await http.request(method, path, json=body)
        return "yes" if answer.is_success else str(answer.json()["code"])

    async def listen(self, *kinds: str) -> str:
        """Join the channel under each of these types; return the common outcome."""
        token = None if self.actor is None else self._app.token(self.actor)
        outcomes = set()
        try:
            async with ChannelClient.connect(f"{self._app.url}/socket", token=token) as client:
                for kind in kinds:
                    await client.send_join(f"message:{kind}:{self.house.talks[self.of]}")
                    reply = await client.next_frame()
                    outcomes.add("yes" if reply.status == "ok" else str(reply.response["reason"]))
        except InvalidStatus as refused:
            return str(refused.response.status_code)
        [outcome] = outcomes
        return outcome


def role(who: str, wanted: str) -> Act:
    def give(scene: Scene) -> Awaitable[str]:
        path = scene.place(who) if who else scene.own_place
        return scene.ask("PUT", path if scene.of == ITSELF else f"{path}/role", {"role": wanted})

    return give


def add(who: str) -> Act:
    return lambda scene: scene.ask("POST", f"{scene.it}/members", {"user_id": scene.people[who].user_id})


def remove(who: str) -> Act:
    return lambda scene: scene.ask("DELETE", scene.place(who))


def contact(method: str, who: str, other: str) -> Act:
    return lambda scene: scene.ask(method, f"{scene.place(who)}/contacts/{scene.people[other].user_id}")


def make(kind: str, *others: str) -> Act:
    def ask(scene: Scene) -> Awaitable[str]:
        ids = [scene.people[who].user_id for who in others if scene.people[who] is not scene.actor]
        wanted: dict[str, dict[str, Any]] = {
            "direct": {"user_id": next(iter(ids), "")},
            "group": {"name": "x", "member_ids": ids},
            "family": {},
        }
        return scene.ask("POST", f"/conversations/{kind}", {"family_id": scene.house.family_id, **wanted[kind]})

    return ask


def to_it(method: str, rest: str, body: dict[str, Any] | None = None) -> Act:
    return lambda scene: scene.ask(method, f"{scene.it}{rest}", body)


def to_message(whose: str, method: str, rest: str = "", body: dict[str, Any] | None = None) -> Act:
    def ask(scene: Scene) -> Awaitable[str]:
        sent = scene.house.sent
        own = None if scene.actor is None else sent.get((scene.of, scene.actor.user_id))
        message_id = own or sent[scene.of, THEIRS] if whose == OWN else sent[scene.of, THEIRS]
        return scene.ask(method, f"{scene.it}/messages/{message_id}{rest}", body)

    return ask


ACTS: dict[str, Act] = {
    "view it": to_it("GET", ""),
    "read messages": to_it("GET", "/messages"),
    "send a message": to_it("POST", "/messages", {"body": "hello"}),
    "upload a file": to_it("POST", "/attachments", {"size": 1}),
    "reply to a message": lambda scene: scene.ask(
        "POST", f"{scene.it}/messages", {"body": "hello", "reply_to": scene.house.sent[scene.of, THEIRS]}
    ),
    "react to a message": to_message(THEIRS, "PUT", "/reaction", {"emoji": "❤"}),
    "edit their own message": to_message(OWN, "PATCH", "", {"body": "other words"}),
    "edit another's message": to_message(THEIRS, "PATCH", "", {"body": "hello"}),
    "delete their own message": to_message(OWN, "DELETE"),
    "delete another's message": to_message(THEIRS, "DELETE"),
    "star a message": to_message(THEIRS, "PUT", "/star"),
    "delete a message for oneself": to_message(THEIRS, "PUT", "/hidden"),
    "pin a message": to_message(THEIRS, "PUT", "/pin"),
    "see the marked messages": to_it("GET", "/marks"),
    "read the edit history": to_message(THEIRS, "GET", "/edits"),
    "join the channel": lambda scene: scene.listen(scene.of),
    "join the channel under another type": lambda scene: scene.listen(
        *(kind for kind in CONVERSATION_TYPES if kind != scene.of)
    ),
    "hide it": to_it("PUT", "/hidden"),
    "archive it": to_it("PUT", "/archived"),
    "mute it": to_it("PUT", "/muted"),
    "rename it": to_it("PATCH", "", {"name": "Fika"}),
    "add a family member": add("gun"),
    "add a stranger": add("ada"),
    "remove a member": remove("sven"),
    "remove an admin": remove("inga"),
    "remove a non-member": remove("olle"),
    "leave": lambda scene: scene.ask("DELETE", scene.own_place),
    "make a member admin": role("sven", "admin"),
    "make an admin a member": role("inga", "member"),
    "give a role to a non-member": role("nils", "admin"),
    "step down": role("", "member"),
    "list its members": to_it("GET", "/members"),
    "start a direct conversation with a member": make("direct", "sven"),
    "create a group of its members": make("group", "sven", "gun", "inga"),
    "create its conversation": make("family"),
    "invite a person": to_it("POST", "/invites", {}),
    "list the open invitations": to_it("GET", "/invites"),
    "list the devices of a member": lambda scene: scene.ask("GET", f"{scene.place('sven')}/devices"),
    "sign out a member's device": lambda scene: scene.ask(
        "DELETE", f"{scene.place('sven')}/devices/{scene.people['sven'].device_id}"
    ),
    "read the admin activity": to_it("GET", "/ledger"),
    "see the disk usage": to_it("GET", "/storage"),
    "see the state of the backups": to_it("GET", "/backups"),
    "block a member": lambda scene: scene.ask("PUT", f"/me/blocks/{scene.people['gun'].user_id}"),
    "unblock a member": lambda scene: scene.ask("DELETE", f"/me/blocks/{scene.people['gun'].user_id}"),
    "list a child's contacts": lambda scene: scene.ask("GET", f"{scene.place('siri')}/contacts"),
    "end a child's contact": contact("DELETE", "siri", "gun"),
    "allow a child's contact again": contact("PUT", "siri", "gun"),
    "end an adult's contact": contact("DELETE", "sven", "gun"),
    "revoke an invitation": lambda scene: scene.ask("DELETE", f"{scene.it}/invites/{scene.house.invite_id}"),
}

FORMER = {ENDED: "nils", "group": "nils", "family": "olle", ITSELF: "olle"}
NAMES = ("maja", "emil", "inga", "nils", "sven", "gun", "olle", "siri", "ada")
WITH_ADMINS = {"group", "family", ITSELF}


def who_is(column: str, of: str) -> str | None:
    """Return the actor of a column."""
    people = {
        "admin": "maja",
        "family member": "emil" if of == "self" else "gun",
        "stranger": "ada",
        "signed out": None,
    }
    if column == "member":
        return "maja" if of == "self" else "emil"
    return FORMER[of] if column == "former member" else people[column]


def set_up(session: Session) -> House:
    # New users for each family: a request takes longer, the more families and conversations its user is in.
    people = {name: person(session, f"{name}-{secrets.token_hex(6)}") for name in NAMES}
    maja, inga = people["maja"].user_id, people["inga"].user_id
    family_id = create_family(session, "Sundqvist", maja).id
    join(session, family_id, people["inga"], "admin")
    for name in ("emil", "sven", "nils", "gun", "olle"):
        join(session, family_id, people[name])
    join(session, family_id, people["siri"], "child")
    others = [people[name].user_id for name in ("inga", "emil", "sven", "nils")]
    made = {
        "self": create_self_conversation(session, maja),
        "direct": create_direct_conversation(session, maja, people["emil"].user_id, family_id, blind_index=INDEX),
        ENDED: create_direct_conversation(
            session, people["emil"].user_id, people["nils"].user_id, family_id, blind_index=INDEX
        ),
        "group": create_group_conversation(session, maja, "Holiday", others, family_id),
        "family": create_family_conversation(session, maja, family_id),
    }
    talks = {kind: each.conversation.id for kind, each in made.items()}
    sent = what_was_said(session, people, talks)
    leave_direct(session, people["nils"].user_id, talks[ENDED])
    assign_admin(session, maja, talks["group"], inga)
    remove_from_group(session, maja, talks["group"], people["nils"].user_id)
    remove_member(session, maja, family_id, people["olle"].user_id)
    return House(people, family_id, invite(session, maja, family_id).invite.id, talks, sent)


def what_was_said(session: Session, people: dict[str, Person], talks: dict[str, str]) -> dict[tuple[str, str], str]:
    """Send a message per member; return the messages by sender, and one by a user who is not an actor, if any."""
    speakers = {
        "self": ("maja",),
        "direct": ("maja", "emil"),
        ENDED: ("emil", "nils"),
        "group": ("maja", "emil", "nils", "sven"),
        "family": ("maja", "emil", "olle", "sven"),
    }
    sent = {}
    for kind, names in speakers.items():
        for name in names:
            [message_id] = say(session, talks[kind], people[name], "hello")
            sent[kind, people[name].user_id] = message_id
        sent[kind, THEIRS] = sent[kind, people["maja" if kind == "direct" else names[-1]].user_id]
    return sent


def test_the_table_lists_each_action_once() -> None:
    listed = list(rows())

    assert len(listed) == len(TABLE) > 60
    assert {action for _, action in TABLE} == set(ACTS)
    assert {of for of, _ in TABLE} == {*CONVERSATION_TYPES, ENDED, ITSELF}
    for (of, _), cells in TABLE.items():
        there = [column for column, cell in cells.items() if cell != "-"]
        assert {"member", "stranger", "signed out"} <= set(there)
        assert ("admin" in there) == (of in WITH_ADMINS)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("column", next(iter(TABLE.values())))
@pytest.mark.parametrize("of", [*CONVERSATION_TYPES, ENDED, ITSELF])
async def test_each_role_has_exactly_the_permissions_in_the_table(shared_app: RunningApp, of: str, column: str) -> None:
    expected = {action: cells[column] for (what, action), cells in TABLE.items() if what == of and cells[column] != "-"}
    actor = who_is(column, of) if expected else None
    outcomes: dict[str, str] = {}
    house: House | None = None
    database = Database(shared_app.settings.effective_database_url)
    try:
        for action in expected:
            # A refused action changes nothing, so the next one may follow in the same family.
            if house is None:
                house = await database.transaction(set_up)
            outcomes[action] = await ACTS[action](Scene(shared_app, house, of, actor))
            if outcomes[action] == "yes":
                house = None
    finally:
        database.close()

    assert outcomes == expected
