"""Rate limits per device, per user and per address, and the errors of refused requests."""

import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st

from famichat.accounts.sign_in.token import Identity
from famichat.actions import rate_limit
from famichat.actions.accounts import sessions
from famichat.actions.rate_limit import (
    DEVICES,
    LIMITS,
    Address,
    Limit,
    LimitName,
    RateLimited,
    RateLimits,
    SharedBuckets,
)
from famichat.storage.crypto.vault import BlindIndex
from famichat.storage.database import Database
from famichat.telemetry.events import Event, RateLimitThrottled
from tests.factories.people import PASSWORD, SECRET, Person
from tests.support.app import RunningApp, running_app

HERE, THERE = Address("192.0.2.1"), Address("192.0.2.2")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def use_up(limits: RateLimits, key: Identity | Address) -> int:
    """Send requests until one is refused; return how many passed."""
    for count in range(10_000):
        try:
            limits.check("send", key)
        except RateLimited:
            return count
    raise AssertionError("never refused")


def test_a_burst_passes_and_the_next_request_gets_a_retry_time(emitted: list[Event]) -> None:
    limits = RateLimits(enabled=True, clock=Clock())

    assert use_up(limits, HERE) == LIMITS["send"].burst
    with pytest.raises(RateLimited) as raised:
        limits.check("send", HERE)

    assert raised.value.details == {"retry_in_ms": 100}
    assert emitted == [RateLimitThrottled(limit="send", retry_in_seconds=0.1)] * 2


def test_each_address_has_its_own_limit() -> None:
    limits = RateLimits(enabled=True, clock=Clock())

    assert use_up(limits, HERE) == use_up(limits, THERE)


@given(st.floats(0.2, 5.0))
def test_requests_pass_again_after_the_retry_time(seconds: float) -> None:
    clock = Clock()
    limits = RateLimits(enabled=True, clock=clock)
    use_up(limits, HERE)

    clock.now += seconds

    assert use_up(limits, HERE) == pytest.approx(seconds * LIMITS["send"].per_second, abs=1)


def test_switched_off_everything_passes() -> None:
    limits = RateLimits(enabled=False, clock=Clock())

    for _ in range(1000):
        limits.check("send", HERE)


def test_memory_does_not_grow_with_the_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_FORGET_AFTER", 100)
    clock = Clock()
    limits = RateLimits(enabled=True, clock=clock)

    for number in range(1000):
        clock.now += 1
        limits.check("send", Address(str(number)))

    assert len(limits._buckets) <= 101


def test_the_devices_of_a_user_share_a_limit(emitted: list[Event]) -> None:
    limits = RateLimits(enabled=True, clock=Clock())
    mine = [Identity("maja", f"device {number}", "maja") for number in range(DEVICES + 2)]

    passed = [use_up(limits, device) for device in mine]

    assert passed == [LIMITS["send"].burst] * DEVICES + [0, 0]
    assert use_up(limits, Identity("emil", "phone", "emil")) == LIMITS["send"].burst


def test_a_request_refused_by_the_user_limit_does_not_count_for_the_device() -> None:
    clock = Clock()
    limits = RateLimits(enabled=True, clock=clock)
    for number in range(DEVICES):
        use_up(limits, Identity("maja", f"device {number}", "maja"))
    fresh = Identity("maja", "a fresh one", "maja")
    for _ in range(1000):
        with pytest.raises(RateLimited):
            limits.check("send", fresh)

    clock.now += LIMITS["send"].burst / LIMITS["send"].per_second

    assert use_up(limits, fresh) == LIMITS["send"].burst


@given(st.sampled_from(sorted(LIMITS)), st.floats(0, 1e6), st.integers(0, 50))
def test_the_retry_time_is_correct(name: LimitName, start: float, more: int) -> None:
    clock = Clock()
    clock.now += start
    limits = RateLimits(enabled=True, clock=clock)
    for _ in range(int(LIMITS[name].burst)):
        assert limits.wait(name, HERE) == 0

    for _ in range(more):
        wait = limits.wait(name, HERE)
        assert wait > 0
        clock.now += RateLimited(wait).details["retry_in_ms"] / 1000
        assert limits.wait(name, HERE) == 0


class Nodes:
    """What all nodes count together, without a database."""

    def __init__(self) -> None:
        self.left = 3

    async def take(self, keys: object) -> float:
        del keys
        self.left -= 1
        return 5.0 if self.left < 0 else 0.0


async def test_a_limit_that_protects_accounts_holds_across_nodes() -> None:
    nodes: Any = Nodes()
    one, other = (RateLimits(enabled=True, clock=Clock(), shared=nodes) for _ in range(2))
    await one.check_shared("sign_in", HERE)
    await other.check_shared("sign_in", HERE)
    await other.check_shared("sign_in", HERE)

    with pytest.raises(RateLimited) as refused:
        await one.check_shared("sign_in", HERE)

    assert refused.value.details == {"retry_in_ms": 5000}


async def test_a_request_refused_by_all_nodes_together_does_not_count_on_this_one() -> None:
    nodes: Any = Nodes()
    limits = RateLimits(enabled=True, clock=Clock(), shared=nodes)
    nodes.left = 0
    for _ in range(int(LIMITS["sign_in"].burst) + 1):
        with pytest.raises(RateLimited):
            await limits.check_shared("sign_in", HERE)
    nodes.left = 1

    await limits.check_shared("sign_in", HERE)


async def test_while_the_database_is_away_each_node_counts_for_itself() -> None:
    database = Database("postgresql://famichat@127.0.0.1:1/nothing")
    limits = RateLimits(enabled=True, clock=Clock(), shared=SharedBuckets(database, BlindIndex(SECRET)))
    for _ in range(int(LIMITS["sign_in"].burst)):
        await limits.check_shared("sign_in", HERE)

    with pytest.raises(RateLimited):
        await limits.check_shared("sign_in", HERE)
    database.close()


def test_a_large_request_costs_more() -> None:
    limits = RateLimits(enabled=True, clock=Clock())
    burst, per_second = LIMITS["frame"].burst, LIMITS["frame"].per_second

    assert limits.wait("frame", HERE, cost=burst) == 0
    assert limits.wait("frame", HERE, cost=per_second) == pytest.approx(1)


@pytest.fixture
async def strict_app(
    migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningApp]:
    """A server whose limits of actions allow a burst of two, then one request per thousand seconds."""
    path = tmp_path / "famichat.db"
    shutil.copy(migrated_sqlite, path)
    for name in set(LIMITS) - {"request", "frame"}:
        monkeypatch.setitem(LIMITS, name, Limit(burst=2, per_second=0.001))
    monkeypatch.setattr(sessions, "REFUSAL_SECONDS", 0.3)
    async with running_app(f"sqlite:///{path}", tmp_path, rate_limits="on") as app:
        yield app


@pytest.mark.parametrize(
    ("event", "payload"),
    [("new_msg", {"body": "x"}), ("message_ack", {"seq": 1}), ("fetch", {}), ("typing", {"typing": True})],
)
async def test_a_channel_error_has_the_retry_time(
    strict_app: RunningApp, event: str, payload: dict[str, object], emitted: list[Event]
) -> None:
    topic = f"message:self:{strict_app.talks.self}"
    async with strict_app.connect(strict_app.home.maja) as maja:
        await maja.join(topic)
        for _ in range(2):
            await maja.push(topic, event, payload)
        refused = await maja.ask(topic, event, payload)
        await maja.heartbeat()

    assert (refused.status, refused.response["reason"]) == ("error", "rate_limited")
    assert 990_000 < refused.response["retry_in_ms"] <= 1_000_000
    assert len([each for each in emitted if isinstance(each, RateLimitThrottled)]) == 1


async def test_a_device_that_connects_too_often_is_asked_to_wait(strict_app: RunningApp) -> None:
    maja = strict_app.home.maja
    for _ in range(2):
        async with strict_app.connect(maja):
            pass

    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        await strict_app.connect(maja).__aenter__()

    response = refused.value.response
    assert (response.status_code, response.headers["retry-after"]) == (429, "5")


async def test_a_join_too_many_is_refused_with_the_time(
    strict_app: RunningApp,
) -> None:
    maja, topic = strict_app.home.maja, f"message:self:{strict_app.talks.self}"
    async with strict_app.connect(maja) as client:
        for _ in range(2):
            await client.join(topic)
        refused = await client.join(topic, status="error")

    assert refused["reason"] == "rate_limited"
    assert 990_000 < refused["retry_in_ms"] <= 1_000_000


async def test_over_http_the_answer_says_it_in_the_body_and_in_the_header(strict_app: RunningApp) -> None:
    home, message = strict_app.home, f"/conversations/{strict_app.talks.self}/messages"
    sign_in: dict[str, object] = {"username": "maja", "password": PASSWORD}
    asked: list[tuple[Person | None, str, dict[str, object]]] = [
        (home.maja, message, {"body": "x"}),
        (None, "/sessions", sign_in),
        (None, "/sessions/refresh", {"refresh_token": "x"}),
        (home.maja, f"/families/{home.family_id}/invites", {}),
        (None, "/invites/no-such-invitation/accept", {"username": "x", "password": "y"}),
    ]
    for who, path, body in asked:
        async with strict_app.http(who) as http:
            answers = [await http.post(path, json=body) for _ in range(4)]

        refused = answers[-1]
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited"), path
        assert 990_000 < refused.json()["retry_in_ms"] <= 1_000_000
        assert int(refused.headers["retry-after"]) == -(-refused.json()["retry_in_ms"] // 1000)


async def exhaust_the_address(http: httpx.AsyncClient) -> None:
    """As an attacker behind the same address does."""
    for path, body in [
        ("/sessions", {"username": "stranger", "password": "x"}),
        ("/sessions/refresh", {"refresh_token": "x"}),
        ("/sessions/passkey", {"credential": {"rawId": "eA"}}),
        ("/invites/x/accept", {"username": "x", "password": "y"}),
    ]:
        answers = [await http.post(path, json=body) for _ in range(4)]
        assert answers[-1].status_code == 429, path


async def test_an_attacker_locks_out_no_account_that_is_used_at_the_same_address(strict_app: RunningApp) -> None:
    home, maja = strict_app.home, {"username": "Maja", "password": PASSWORD}
    async with strict_app.http() as http, strict_app.http(home.maja) as signed_in:
        session = (await http.post("/sessions", json=maja)).raise_for_status().json()
        await exhaust_the_address(http)
        answers = {
            "refresh": await http.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]}),
            "sign in": await http.post("/sessions", json=maja),
            "password required again": await signed_in.post("/me/passkeys/options", json={"password": "wrong"}),
            "invite": await signed_in.post("/invites/x/accept"),
            "passkey": await http.post("/sessions/passkey/options"),
        }
        more = [await http.post("/sessions", json=maja) for _ in range(2)]

    assert {name: each.status_code for name, each in answers.items()} == {
        "refresh": 200,
        "sign in": 201,
        "password required again": 401,
        "invite": 404,
        "passkey": 200,
    }
    assert [each.status_code for each in more] == [201, 429], "the account has a limit of its own"


async def test_at_an_address_over_its_limit_the_right_password_signs_in_and_any_other_answer_is_the_same(
    strict_app: RunningApp,
) -> None:
    async with strict_app.http() as http:
        await exhaust_the_address(http)

        async def sign_in(name: str, password: str) -> tuple[int, str | None, bool]:
            began = time.perf_counter()
            answer = await http.post("/sessions", json={"username": name, "password": password})
            return answer.status_code, answer.json().get("code"), time.perf_counter() - began >= 0.3

        refused = 429, "rate_limited", True
        guesses = [await sign_in(name, "wrong") for name in ("stranger", "emil", "emil", "emil")]
        assert guesses == [refused] * 4, "neither the code nor the time tells which account exists"
        assert await sign_in("emil", PASSWORD) == refused, "an account has a limit, too"
        assert (await sign_in("inga", PASSWORD))[0] == 201, "other accounts do not wait"


async def test_at_an_address_over_its_limit_an_invitation_creates_an_account(strict_app: RunningApp) -> None:
    home, account = strict_app.home, {"username": "Lotta", "password": PASSWORD, "device_name": "phone"}
    async with strict_app.http() as http, strict_app.http(home.maja) as maja:
        issued = (await maja.post(f"/families/{home.family_id}/invites", json={})).raise_for_status().json()
        await exhaust_the_address(http)
        path = f"/invites/{issued['token']}"

        assert (await http.get(path)).status_code == 200
        assert (await http.post(f"{path}/accept", json=account)).status_code == 201
        assert (await http.post(f"{path}/accept", json=account)).status_code == 429, "its limit is its own"


async def test_an_account_that_continues_its_session_is_used_at_its_address(strict_app: RunningApp) -> None:
    emil = {"username": "emil", "password": PASSWORD}
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    async with (
        strict_app.http() as http,
        httpx.AsyncClient(base_url=http.base_url, transport=transport, timeout=30) as elsewhere,
    ):
        session = (await http.post("/sessions", json=emil)).raise_for_status().json()
        await elsewhere.post("/sessions/refresh", json={"refresh_token": session["refresh_token"]})
        await exhaust_the_address(elsewhere)

        assert (await elsewhere.post("/sessions", json=emil)).status_code == 201


async def test_the_accounts_used_at_addresses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_FORGET_AFTER", 2)
    monkeypatch.setitem(LIMITS, "sign_in", Limit(burst=1, per_second=1))
    limits = RateLimits(enabled=True, clock=Clock())
    for account in ("maja", "emil", "maja", "lea"):
        limits.remember_use(HERE, account)
    for account in ("maja", "lea", "emil"):
        await limits.check_sign_in(HERE, account)

    with pytest.raises(RateLimited):  # emil was forgotten, and used up the limit of the address
        await limits.check_sign_in(HERE, "emil")
