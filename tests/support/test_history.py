"""Tests of the checker: a healthy server passes, six planted bugs are found, and each check can fail."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.history import (
    CHECKS,
    Attempt,
    Entry,
    History,
    Member,
    Read,
    Received,
    Record,
    Resumed,
    Settled,
    check,
)
from tests.support.history_file import read_jsonl, write_jsonl
from tests.support.model_server import Bug, simulate

SEEDS = range(20)
CAUGHT_BY = {
    Bug.SYNC_OFF: {"acked_lost"},
    Bug.ACK_BEFORE_COMMIT: {"acked_lost"},
    Bug.NO_ID_CHECK: {"stored_twice"},
    Bug.BROKER_ONLY: {"stream"},
    Bug.SEQ_FROM_CLOCK: {"hole", "stream"},
    Bug.RESUME_OFF_BY_ONE: {"stream"},
}


@given(seed=st.integers(min_value=0))
def test_a_healthy_server_breaks_no_promise(seed: int) -> None:
    assert check(simulate(None, seed, steps=150)) == []


def test_a_run_is_worth_checking() -> None:
    """Acks, timeouts, repeats, resumes and lost acks all occur; otherwise a passing run would prove nothing."""
    history = simulate(None, seed=1)
    outcomes = {type(attempt.outcome) for attempt in history.attempts}
    resumes = [record for record in history.records if isinstance(record, Resumed) and record.after]

    assert outcomes == {int, str}
    assert any(len(tries) > 1 for tries in history.tries.values())
    assert len(resumes) > 10
    assert len(history.lists["kitchen"]) > 50


def test_the_same_seed_gives_the_same_history() -> None:
    assert simulate(None, seed=7) == simulate(None, seed=7)


def test_each_planted_bug_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    names = {bug: [{v.name for v in check(simulate(bug, seed))} for seed in SEEDS] for bug in Bug}
    caught = [bug for bug in Bug if any(names[bug])]
    with capsys.disabled():
        print(f"\nhistory checker: caught {len(caught)}/{len(Bug)} planted bugs")  # noqa: T201 - the record asked for

    assert caught == list(Bug)
    for bug in Bug:
        assert all(CAUGHT_BY[bug] <= found for found in names[bug]), bug


def test_a_kept_history_reads_back_equal(tmp_path: Path) -> None:
    history = simulate(None, seed=3)
    write_jsonl(history, tmp_path / "history.jsonl")

    assert read_jsonl(tmp_path / "history.jsonl") == history


# Each check alone, on the smallest history that it must refuse.

ANN, BEN = Member("kitchen", "ann"), Member("kitchen", "ben")
HELLO, AGAIN = Entry(1, "ann", "c1", "h1"), Entry(2, "ann", "c2", "h2")


def sent(
    client_id: str, outcome: int | str, *, t: float = 1.0, body_hash: str | None = None, user: str = "ann"
) -> Attempt:
    t_ok = t + 0.5 if isinstance(outcome, int) else None
    return Attempt(t, t_ok, f"{user}/phone", user, "kitchen", client_id, body_hash or f"h{client_id[1:]}", outcome)


def read(*entries: Entry, user: str = "ann") -> Read:
    return Read("kitchen", user, entries)


def got(entry: Entry, *, user: str = "ann", t: float = 2.0) -> Received:
    return Received(t, f"{user}/phone", user, "kitchen", entry)


def joined(after: int) -> Resumed:
    return Resumed("ann/phone", "kitchen", after)


END = Settled("ann/phone", "kitchen")
KEPT: tuple[Record, ...] = (
    ANN,
    joined(0),
    sent("c1", 1, t=1.0),
    got(HELLO),
    sent("c2", "timeout", t=2.0),
    sent("c2", 2, t=3.0),
    joined(1),
    got(AGAIN),
    END,
    read(HELLO, AGAIN),
)


@dataclass(frozen=True)
class Broken:
    fact: str
    check: str
    records: tuple[Record, ...]


BROKEN = (
    Broken("an acknowledged message is gone", "acked_is_read", (ANN, sent("c1", 1), read())),
    Broken("nobody can read what was acknowledged", "acked_is_read", (sent("c1", 1),)),
    Broken("it is not where it was acknowledged", "acked_is_read", (ANN, sent("c1", 2), read(HELLO))),
    Broken("its body is another one", "acked_is_read", (ANN, sent("c1", 1, body_hash="h9"), read(HELLO))),
    Broken(
        "a repeat was stored again",
        "stored_once",
        (ANN, sent("c1", 1), read(HELLO, HELLO._replace(seq=2))),
    ),
    Broken("a seq is missing", "gap_free", (ANN, sent("c1", 1), read(HELLO, AGAIN._replace(seq=3)))),
    Broken("the first seq is not 1", "gap_free", (ANN, sent("c2", 2), read(AGAIN))),
    Broken("a seq was given twice", "gap_free", (ANN, read(HELLO, AGAIN._replace(seq=1)))),
    Broken("one member reads less", "same_for_all", (ANN, BEN, read(HELLO), read(user="ben"))),
    Broken("one member reads in another order", "same_for_all", (ANN, BEN, read(HELLO, AGAIN), read(AGAIN, HELLO))),
    Broken("one member never read", "same_for_all", (ANN, BEN, read(HELLO))),
    Broken(
        "a later message took an earlier place",
        "real_time_order",
        (ANN, sent("c1", 1, t=9.0), sent("c2", 2, t=1.0), read(HELLO, AGAIN)),
    ),
    Broken(
        "an unanswered later message took an earlier place",
        "real_time_order",
        (ANN, sent("c1", "timeout", t=9.0), sent("c2", 2, t=1.0), read(HELLO, AGAIN)),
    ),
    Broken("somebody reads what nobody sent", "nothing_invented", (ANN, read(HELLO))),
    Broken("somebody receives what nobody sent", "nothing_invented", (ANN, got(HELLO), read())),
    Broken("a message is told under another author", "nothing_invented", (ANN, sent("c1", 1, user="ben"), read(HELLO))),
    Broken("a refused message is stored", "fate_is_known", (ANN, sent("c1", "not_found"), read(HELLO))),
    Broken(
        "a conflicting body replaced the first",
        "fate_is_known",
        (ANN, sent("c1", 1, body_hash="h0"), sent("c1", "conflict"), read(HELLO)),
    ),
    Broken(
        "an unanswered message is stored twice",
        "fate_is_known",
        (ANN, sent("c1", "timeout"), sent("c1", "timeout"), read(HELLO, HELLO._replace(seq=2))),
    ),
    Broken("a device missed one", "streams_are_whole", (joined(0), got(AGAIN), read(HELLO, AGAIN))),
    Broken("a device got one twice", "streams_are_whole", (joined(0), got(HELLO), got(HELLO), read(HELLO))),
    Broken("a resume repeated one", "streams_are_whole", (got(HELLO), joined(1), got(HELLO), read(HELLO))),
    Broken("a resume skipped one", "streams_are_whole", (joined(1), got(AGAIN._replace(seq=3)), read(HELLO, AGAIN))),
    Broken("a device skipped by itself", "streams_are_whole", (joined(0), joined(1), got(AGAIN), read(HELLO, AGAIN))),
    Broken("the last one never came", "streams_are_whole", (joined(0), got(HELLO), END, read(HELLO, AGAIN))),
    Broken("nothing ever came", "streams_are_whole", (joined(0), END, read(HELLO))),
    Broken("a device got another message than is stored", "streams_are_whole", (got(HELLO), read(AGAIN))),
    Broken("a device got what is not stored", "streams_are_whole", (got(HELLO), read())),
    Broken("a stranger received it", "members_only", (ANN, got(HELLO, user="eve"), read(HELLO))),
    Broken("a stranger could read it", "members_only", (ANN, read(HELLO), read(HELLO, user="eve"))),
    Broken(
        "who was removed received on",
        "members_only",
        (Member("kitchen", "ben", until=5.0), got(HELLO, user="ben", t=6.5)),
    ),
    Broken(
        "who was added received before", "members_only", (Member("kitchen", "ben", since=5.0), got(HELLO, user="ben"))
    ),
)


def test_a_history_in_which_every_promise_was_kept_passes() -> None:
    assert check(History(KEPT)) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.fact.replace(" ", "_"))
def test_a_check_refuses_its_own_bad_history(broken: Broken) -> None:
    verify = {verify.__name__: verify for verify in CHECKS}[broken.check]

    assert list(verify(History(broken.records))) != []


def test_every_check_is_shown_to_fail() -> None:
    assert {broken.check for broken in BROKEN} == {verify.__name__ for verify in CHECKS}


def test_a_removed_member_may_still_receive_within_the_grace() -> None:
    records = (Member("kitchen", "ben", until=5.0), sent("c1", 1, user="ben"), got(HELLO, user="ben", t=5.9))

    assert "stranger" not in {violation.name for violation in check(History(records))}
