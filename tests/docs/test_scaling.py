"""docs/scaling.md: its table is what the model computes, and its plan is consistent with it."""

import re
from dataclasses import replace
from pathlib import Path

from bench.capacity import MEASURED, TARGETS, Load, nodes, table

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_the_table_is_what_the_model_computes() -> None:
    assert [row for row in table() if row not in PAGE] == []


def test_the_costs_in_the_page_are_those_of_the_model() -> None:
    for costs in (MEASURED, TARGETS):
        for seconds in (costs.connection, costs.message, costs.acknowledgement, costs.broker_message):
            assert re.search(rf"[ (]{seconds * 1e6:.3g} µs", PAGE)


def test_what_subscriptions_per_conversation_save_is_what_the_page_says() -> None:
    load = Load(1_000_000)
    everything, own = (nodes(load, MEASURED, interest=interest) for interest in (False, True))
    assert everything is not None
    assert own is not None

    assert f"save {everything - own} of {everything} nodes" in PAGE


def test_with_the_former_cost_of_broker_messages_no_number_of_nodes_carries_the_load() -> None:
    loads = [Load(100_000), Load(300_000)]
    former = replace(MEASURED, broker_message=0.000137)

    assert "137 µs" in PAGE
    assert [nodes(load, former, interest=False) is None for load in loads] == [False, True]


def test_affinity_never_needs_more_nodes_and_more_clients_never_need_fewer() -> None:
    counts: list[int] = []
    for connections in (1_000, 30_000, 200_000, 1_000_000):
        spread = nodes(Load(connections), TARGETS, interest=True)
        together = nodes(Load(connections), TARGETS, interest=True, affinity=True)
        assert together is not None
        assert spread is not None
        assert together <= spread
        counts.append(together)

    assert counts == sorted(counts)
