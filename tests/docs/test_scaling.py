"""docs/scaling.md: its table is what the model computes, and its plan is consistent with it."""

from pathlib import Path

from bench.capacity import MEASURED, TARGETS, Load, nodes, table

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


def test_the_table_is_what_the_model_computes() -> None:
    assert [row for row in table() if row not in PAGE] == []


def test_the_costs_in_the_page_are_those_of_the_model() -> None:
    for costs in (MEASURED, TARGETS):
        for seconds in (costs.connection, costs.message, costs.acknowledgement, costs.broker_message):
            assert f" {seconds * 1e6:,.0f} µs" in PAGE


def test_nodes_that_hear_everything_cannot_carry_any_load() -> None:
    loads = [Load(100_000), Load(300_000)]

    assert [nodes(load, MEASURED, interest=False) is None for load in loads] == [False, True]


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
