"""Random histories of a family, compared with a simple model: no gaps, no duplicates, no events to outsiders.

Four members of a family and an outsider create, join, send, repeat, edit, delete, react, leave, return, fetch, are
removed and delete their accounts, in any order, over WebSocket and HTTP. Every reply must match the model, and at the
end every device must have received each message and change of its time in the channel exactly once and in order.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from famichat.chat.families.family import create_family
from famichat.storage.database import Database
from tests.factories.people import PASSWORD, Person, join, person
from tests.support.app import RunningApp, running_app
from tests.support.channel_client import ChannelClient
from tests.support.effort import repetitions

T = TypeVar("T")

EXAMPLES = repetitions(6, long=60)
STEPS = 50
MAX_TALKS = 3  # few, so that actions meet the same conversation
FAMILY = ("maja", "emil", "inga", "nils")
OUTSIDER = "ada"

names = st.sampled_from((*FAMILY, OUTSIDER))
kinds = st.sampled_from(("self", "direct", "group", "family"))
picks = st.integers(0, 99)
MOSTLY = 75


@dataclass(frozen=True)
class Neighbours:
    """A family, and a user of another one."""

    family_id: str
    people: dict[str, Person]


@dataclass
class SentMessage:
    """The model of a message. `first` is the original body, `signs` are the reactions by user."""

    seq: int
    id: str
    who: str
    client_id: str
    first: str
    body: str | None = ""
    change: int = 0
    signs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.body = self.first


@dataclass
class Talk:
    """The model of a conversation."""

    id: str
    kind: str
    about: str
    members: set[str]
    admin: str
    sent_messages: list[SentMessage] = field(default_factory=list)
    changes: int = 0

    @property
    def topic(self) -> str:
        return f"message:{self.kind}:{self.id}"

    @property
    def path(self) -> str:
        return f"/conversations/{self.id}/messages"


@dataclass(frozen=True)
class Outcome:
    """The expected result of creating a conversation: identified by `about`, with these members."""

    status: int
    code: str | None
    about: str = ""
    members: frozenset[str] = frozenset()


@dataclass
class Stage:
    """The environment of the histories: one server, and a new family for each history."""

    app: RunningApp
    runner: asyncio.Runner
    families: Iterator[Neighbours]


class Histories(RuleBasedStateMachine):
    """A stateful test that runs one history."""

    stage: Stage

    @initialize()
    def enter(self) -> None:
        """Create a family and connect its devices."""
        self.home = next(self.stage.families)
        self.roster = {**dict.fromkeys(FAMILY, "home"), OUTSIDER: "away"}
        self.talks: list[Talk] = []
        self.listening: set[tuple[str, str]] = set()
        self.received_events: dict[tuple[str, str], tuple[int, int]] = {}
        self.reported: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        self.told_changes: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        self.count = 0
        self.stack = AsyncExitStack()
        self.sockets: dict[str, ChannelClient] = {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        self.run(self._connect())

    @precondition(lambda self: len(self.talks) < MAX_TALKS)
    @rule(who=names, kind=kinds, other=names)
    def create(self, who: str, kind: str, other: str) -> None:
        """A user creates a conversation."""
        if self.is_gone(who):
            return
        expected = self._what_comes_of(who, kind, other)
        answer = self.ask(who, "POST", f"/conversations/{kind}", self._request(kind, other))
        got = answer.json()

        assert (answer.status_code, got.get("code")) == (expected.status, expected.code)
        if expected.code is not None:
            return
        if answer.status_code == 201:
            self.talks.append(Talk(got["id"], kind, expected.about, set(expected.members), who))
        talk = self.talks[-1] if answer.status_code == 201 else self.find(kind, expected.about)
        assert talk is not None
        assert got["id"] == talk.id
        talk.members.add(who)  # if the user had left this direct conversation
        assert {each["user_id"] for each in got["members"]} == {self.id_of(name) for name in talk.members}

    @precondition(lambda self: self.talks)
    @rule(someone=picks, pick=picks, afresh=picks)
    def join(self, someone: int, pick: int, afresh: int) -> None:
        """A user joins a channel, resuming or from the start, possibly while joined already."""
        talk = self.pick(pick)
        who = self.someone(someone, talk)
        socket = self.sockets[who]
        if who not in talk.members:
            assert self.run(socket.join(talk.topic, status="error")) == {"reason": "not_found"}
            return
        has = None if afresh >= MOSTLY else self.received_events.get((who, talk.id))
        last_seq, last_change = has or (None, 0)
        joined = self.run(socket.join(talk.topic, {"last_seq": last_seq, "last_change": last_change}))
        missed = [m for m in talk.sent_messages if m.seq <= (last_seq or 0) and m.change > last_change]

        assert [each["seq"] for each in joined["messages"]] == [
            m.seq for m in talk.sent_messages if m.seq > (last_seq or 0)
        ]
        assert (joined["last_seq"], joined["recovered"], joined["has_more"]) == (len(talk.sent_messages), True, False)
        assert [each["change"] for each in joined["changes"]] == sorted(m.change for m in missed)
        for each in (*joined["messages"], *joined["changes"]):
            self.is_as_it_must(each, talk.sent_messages[each["seq"] - 1])
        assert (joined["last_change"], joined["has_more_changes"]) == (talk.changes, False)
        self.listening.add((who, talk.id))
        self.received_events[who, talk.id] = len(talk.sent_messages), talk.changes

    @precondition(lambda self: self.talks)
    @rule(someone=picks, pick=picks)
    def send(self, someone: int, pick: int) -> None:
        """A user sends a message: over the WebSocket if joined, otherwise over HTTP."""
        talk = self.pick(pick)
        who = self.someone(someone, talk)
        self.count += 1
        body = {"body": f"body {self.count}", "client_id": f"client {self.count}"}
        sent = self._send(who, talk, body)
        if who not in talk.members or not self.is_open(talk):
            assert sent is None
            return
        assert sent is not None
        sent_message = SentMessage(
            len(talk.sent_messages) + 1, sent["message_id"], who, body["client_id"], body["body"]
        )
        assert sent["seq"] == sent_message.seq
        talk.sent_messages.append(sent_message)
        self.tell(talk, self.reported, sent_message.seq)

    @precondition(lambda self: any(talk.sent_messages for talk in self.talks))
    @rule(someone=picks, pick=picks, which=picks, act=st.sampled_from(("edit_msg", "delete_msg", "react", "unreact")))
    def change(self, someone: int, pick: int, which: int, act: str) -> None:
        """A user changes a message: over the WebSocket if joined, otherwise over HTTP."""
        with_messages = [talk for talk in self.talks if talk.sent_messages]
        talk = with_messages[pick % len(with_messages)]
        sent_message = talk.sent_messages[which % len(talk.sent_messages)]
        own = act == "edit_msg" and someone < MOSTLY and not self.is_gone(sent_message.who)
        who = sent_message.who if own else self.someone(someone, talk)
        if act == "delete_msg" and who != sent_message.who and talk.admin not in talk.members:
            return  # the group has another admin now, or no members
        self.count += 1
        code, rest = self._change(who, talk, sent_message, act)

        assert code == self._what_comes_of_change(who, talk, sent_message, act)
        if code is not None or not self._changes(who, sent_message, act, rest):
            return
        talk.changes += 1
        sent_message.change = talk.changes
        self.tell(talk, self.told_changes, sent_message.change)

    @precondition(lambda self: any(talk.sent_messages for talk in self.talks))
    @rule(pick=picks, which=picks, other_body=st.booleans())
    def repeat(self, pick: int, which: int, *, other_body: bool) -> None:
        """A user sends a message again, possibly with another body under its client id; nothing is announced."""
        with_messages = [talk for talk in self.talks if talk.sent_messages]
        talk = with_messages[pick % len(with_messages)]
        sent_message = talk.sent_messages[which % len(talk.sent_messages)]
        body = {"body": sent_message.first + "!" * other_body, "client_id": sent_message.client_id}
        answer = self.ask(sent_message.who, "POST", talk.path, body)

        if self.is_gone(sent_message.who):
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        elif sent_message.who not in talk.members:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        elif other_body:
            assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        else:
            assert (answer.status_code, answer.json()["seq"], answer.json()["body"]) == (
                200,
                sent_message.seq,
                sent_message.body,
            )

    @precondition(lambda self: self.listening)
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        """A user leaves a channel."""
        who, talk_id = sorted(self.listening)[pick % len(self.listening)]
        talk = next(t for t in self.talks if t.id == talk_id)
        self.run(self.sockets[who].leave(talk.topic))
        self.listening.discard((who, talk_id))

    @precondition(lambda self: self.talks)
    @rule(someone=picks, pick=picks, after=st.integers(0, 12), limit=st.integers(1, 5))
    def fetch(self, someone: int, pick: int, after: int, limit: int) -> None:
        """A user fetches a page: over the WebSocket if joined, otherwise over HTTP."""
        talk = self.pick(pick)
        who = self.someone(someone, talk)
        page = self._fetch(who, talk, {"after_seq": after, "limit": limit})
        if who not in talk.members:
            assert page is None
            return
        expected = [m for m in talk.sent_messages if m.seq > after]
        assert page is not None
        for got, must in zip(page["messages"], expected[:limit], strict=True):
            self.is_as_it_must(got, must)
        assert page["has_more"] == (len(expected) > limit)

    @precondition(lambda self: any(talk.kind == "direct" for talk in self.talks))
    @rule(pick=picks, first=st.booleans())
    def leave_or_return(self, pick: int, *, first: bool) -> None:
        """A member leaves a direct conversation, or one who has left it opens it again."""
        directs = [talk for talk in self.talks if talk.kind == "direct"]
        talk = directs[pick % len(directs)]
        who, other = sorted(talk.about.split("+"), reverse=first)
        if who not in talk.members:
            self.create(who=who, kind="direct", other=other)
            return
        answer = self.ask(who, "DELETE", f"/conversations/{talk.id}/members/{self.id_of(who)}")
        assert answer.status_code == 204
        talk.members.discard(who)
        self.listening.discard((who, talk.id))
        self._is_refused(who, talk, "not_found")
        if other in talk.members:
            self._is_refused(other, talk, "contact_ended")

    @precondition(lambda self: Counter(self.roster.values())["home"] > 3)
    @rule(pick=picks)
    def put_out(self, pick: int) -> None:
        """Maja removes a member from the family, its conversation and its groups."""
        # Prefer a member with a joined channel: its events must stop at once.
        others = [who for who in FAMILY[1:] if not self.is_gone(who)]
        listeners = sorted({who for who, _ in self.listening} & set(others)) or others
        who = listeners[pick % len(listeners)]
        answer = self.ask("maja", "DELETE", f"/families/{self.home.family_id}/members/{self.id_of(who)}")
        assert answer.status_code == (204 if self.roster[who] == "home" else 404)
        self.roster[who] = "nowhere"
        for talk in self.talks:
            if talk.kind in {"family", "group"}:
                talk.members.discard(who)
                self.listening.discard((who, talk.id))
                self._is_refused(who, talk, "not_found")
            elif talk.kind == "direct" and who in talk.members:
                self._is_refused(who, talk, "contact_ended")

    @precondition(lambda self: Counter(self.roster.values())["home"] > 2)
    @rule(pick=picks)
    def delete_account(self, pick: int) -> None:
        """A user who is not the only admin of others deletes the account; the messages stay."""
        who = FAMILY[pick % len(FAMILY)]
        groups = [talk for talk in self.talks if talk.kind == "group" and {who} < talk.members]
        if self.is_gone(who) or any(talk.admin not in talk.members for talk in groups):
            return  # the group has another admin now
        answer = self.ask(who, "DELETE", "/me", {"password": PASSWORD})
        if who == "maja" or any(talk.admin == who for talk in groups):
            assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
            return
        assert answer.status_code == 204
        assert self.run(self.sockets[who].closed()) == 1001
        self.roster[who] = "gone"
        for talk in self.talks:
            talk.members.discard(who)
            self.listening.discard((who, talk.id))
        # Deleting an account deletes all conversations without members, also those that both members left before.
        self.talks = [talk for talk in self.talks if talk.members or talk.kind != "direct"]

    def teardown(self) -> None:
        """Check that each device received the messages of its time in the channel, once, in order, and nothing else."""
        if not hasattr(self, "stack"):
            return
        try:
            for name, socket in self.sockets.items():
                if not self.is_gone(name):
                    self.run(socket.heartbeat())
                received_events = [(f.topic, f.payload["seq"]) for f in socket.received if f.event == "new_msg"]
                assert received_events == self.reported[name], name
                changed = [(f.topic, f.payload["change"]) for f in socket.received if f.event == "message_updated"]
                assert changed == self.told_changes[name], name
        finally:
            self.run(self.stack.aclose())

    # The model

    def _what_comes_of(self, who: str, kind: str, other: str) -> Outcome:
        place = self.roster[who]
        home = {name for name, where in self.roster.items() if where == place != "nowhere"}
        people = {"self": {who}, "direct": {who, other}, "group": {who, other, "maja", "emil"}, "family": home}[kind]
        if len(people) < {"self": 1, "direct": 2, "group": 3, "family": 0}[kind]:
            return Outcome(422, "own_account" if kind == "direct" else "invalid_members")
        if kind != "self" and not (home and people <= home):
            return Outcome(404, "not_found")
        about = place if kind == "family" else "+".join(sorted(people))
        found = kind != "group" and self.find(kind, about) is not None
        return Outcome(200 if found else 201, None, about, frozenset(people))

    def _what_comes_of_change(self, who: str, talk: Talk, sent_message: SentMessage, act: str) -> str | None:
        if who not in talk.members:
            return "not_found"
        own = who == sent_message.who
        if act == "delete_msg":
            return None if own or (talk.kind == "group" and who == talk.admin) else "not_sender"
        if act == "edit_msg" and not own:
            return "not_sender"
        if sent_message.body is None:
            return "message_deleted"
        return "contact_ended" if act != "unreact" and not self.is_open(talk) else None

    def is_open(self, talk: Talk) -> bool:
        """Whether members may send: the two of a direct conversation must both be in it, and in the family."""
        two = talk.about.split("+")
        return talk.kind != "direct" or all(name in talk.members and self.roster[name] == "home" for name in two)

    def _changes(self, who: str, sent_message: SentMessage, act: str, rest: dict[str, Any]) -> bool:
        """Apply the change to the model's message; return whether it changed."""
        before = sent_message.body, dict(sent_message.signs)
        match act:
            case "edit_msg":
                sent_message.body = rest["body"]
            case "delete_msg":
                sent_message.body, sent_message.signs = None, {}
            case "react":
                sent_message.signs[who] = rest["emoji"]
            case _:
                sent_message.signs.pop(who, None)
        return before != (sent_message.body, sent_message.signs)

    def is_as_it_must(self, view: dict[str, Any], sent_message: SentMessage) -> None:
        signs = {each["user_id"]: each["emoji"] for each in view["reactions"]}
        assert (view["seq"], view["body"], view["change"]) == (sent_message.seq, sent_message.body, sent_message.change)
        assert view["user_id"] == self.id_of(sent_message.who)
        assert signs == {self.id_of(name): sign for name, sign in sent_message.signs.items()}
        assert (view["deleted_at"] is None) == (sent_message.body is not None)

    def tell(self, talk: Talk, reported: defaultdict[str, list[tuple[str, int]]], number: int) -> None:
        """Record that every joined device must receive the message or change of this number."""
        for name in talk.members:
            if (name, talk.id) in self.listening:
                reported[name].append((talk.topic, number))
                self.received_events[name, talk.id] = len(talk.sent_messages), talk.changes

    def _request(self, kind: str, other: str) -> dict[str, Any]:
        match kind:
            case "direct":
                return {"user_id": self.id_of(other)}
            case "group":
                return {"name": "Fika", "member_ids": [self.id_of(name) for name in (other, "maja", "emil")]}
            case _:
                return {}

    # Requests

    def _send(self, who: str, talk: Talk, body: dict[str, str]) -> dict[str, Any] | None:
        if (who, talk.id) in self.listening:
            reply = self.run(self.sockets[who].ask(talk.topic, "new_msg", body))
            assert (reply.status == "ok") == self.is_open(talk), reply
            assert reply.status == "ok" or reply.response["reason"] == "contact_ended"
            sent: dict[str, Any] = reply.response
            return sent if reply.status == "ok" else None
        answer = self.ask(who, "POST", talk.path, body)
        if answer.status_code == 201:
            return dict(answer.json())
        assert answer.json()["code"] == ("contact_ended" if who in talk.members else "not_found")
        return None

    def _is_refused(self, who: str, talk: Talk, code: str) -> None:
        """Check that a message is refused over HTTP, and over the socket, which may have been joined a moment ago."""
        answer = self.ask(who, "POST", talk.path, {"body": "too late"})
        assert answer.json()["code"] == code
        reply = self.run(self.sockets[who].ask(talk.topic, "new_msg", {"body": "too late"}))
        assert reply.status == "error", reply
        assert reply.response["reason"] in {code, "unmatched topic"}

    def _change(self, who: str, talk: Talk, sent_message: SentMessage, act: str) -> tuple[str | None, dict[str, Any]]:
        rest: dict[str, Any] = {
            "edit_msg": {"body": f"other {self.count}"},
            "react": {"emoji": f"{self.count % 3}"},
        }.get(act, {})
        if (who, talk.id) in self.listening:
            event, emoji = ("react", {"emoji": None}) if act == "unreact" else (act, {})
            payload = {"message_id": sent_message.id, **rest, **emoji}
            reply = self.run(self.sockets[who].ask(talk.topic, event, payload))
            return (None if reply.status == "ok" else reply.response["reason"]), rest
        method = {"edit_msg": "PATCH", "react": "PUT"}.get(act, "DELETE")
        path = f"{talk.path}/{sent_message.id}{'/reaction' if 'react' in act else ''}"
        answer = self.ask(who, method, path, rest or None)
        return (None if answer.is_success else answer.json()["code"]), rest

    def _fetch(self, who: str, talk: Talk, query: dict[str, int]) -> dict[str, Any] | None:
        if (who, talk.id) in self.listening:
            reply = self.run(self.sockets[who].ask(talk.topic, "fetch", query))
            assert reply.status == "ok", reply
            page: dict[str, Any] = reply.response
            return page
        answer = self.run(self.clients[who].get(talk.path, params=query))
        assert answer.status_code in {200, 404}
        return answer.json() if answer.status_code == 200 else None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.stage.runner.run(work)

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.run(self.clients[who].request(method, path, json=body))

    def find(self, kind: str, about: str) -> Talk | None:
        return next((talk for talk in self.talks if (talk.kind, talk.about) == (kind, about)), None)

    def someone(self, number: int, talk: Talk) -> str:
        """Choose a user, in most cases a member of the conversation."""
        everyone = [name for name in (*FAMILY, OUTSIDER) if not self.is_gone(name)]
        among = sorted(talk.members) if number < MOSTLY and talk.members else everyone
        return among[number % len(among)]

    def is_gone(self, who: str) -> bool:
        return self.roster[who] == "gone"

    def pick(self, pick: int) -> Talk:
        return self.talks[pick % len(self.talks)]

    def id_of(self, name: str) -> str:
        return self.home.people[name].user_id

    async def _connect(self) -> None:
        for name, who in self.home.people.items():
            self.sockets[name] = await self.stack.enter_async_context(self.stage.app.connect(who))
            self.clients[name] = await self.stack.enter_async_context(self.stage.app.http(who))


def move_in(session: Session, number: int) -> Neighbours:
    people = {name: person(session, f"{name}{number}") for name in (*FAMILY, OUTSIDER)}
    family = create_family(session, f"Sundqvist {number}", people["maja"].user_id)
    for name in FAMILY[1:]:
        join(session, family.id, people[name])
    create_family(session, f"Okafor {number}", people[OUTSIDER].user_id)
    return Neighbours(family.id, people)


def test_every_history_is_delivered_completely_and_only_to_members(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    # Hypothesis starts more histories than it counts.
    families = database.run(lambda session: [move_in(session, number) for number in range(12 * EXAMPLES)])
    database.close()

    with asyncio.Runner() as runner:
        running = running_app(database_url, tmp_path)
        stage = Stage(runner.run(_enter(running)), runner, iter(families))
        try:
            run_state_machine_as_test(
                type("Staged", (Histories,), {"stage": stage}),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    # Each history needs a new family, so a failing one is reported without shrinking.
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(_exit(running))


async def _enter(running: Any) -> RunningApp:
    app: RunningApp = await running.__aenter__()
    return app


async def _exit(running: Any) -> None:
    await running.__aexit__(None, None, None)
