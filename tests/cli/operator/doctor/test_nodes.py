import pytest

from famichat.app.environment.check import Check
from famichat.cli.operator.doctor.nodes import check_nodes
from famichat.storage.node import Node


@pytest.mark.parametrize(
    ("nodes", "status", "detail"),
    [
        ([], Check.OK, "none is running"),
        ([("1.0.0", True, 0), ("1.0.0", True, 0)], Check.OK, "2 running, version 1.0.0"),
        ([("1.0.0", True, 0), ("1.1.0", True, 0)], Check.NOTE, "different versions (1.0.0, 1.1.0)"),
        ([("1.0.0", True, 0), ("1.0.0", False, 0)], Check.NOTE, "from the broker, 1 of them receive nothing"),
        ([("1.0.0", True, 1), ("1.0.0", True, 0)], Check.NOTE, "1 long poll arrived at another node"),
        ([("1.0.0", True, 2), ("1.0.0", True, 3)], Check.NOTE, "5 long polls arrived at another node"),
    ],
)
def test_nodes_of_different_versions_deaf_ones_and_lost_long_polls_are_noticed(
    nodes: list[tuple[str, bool, int]], status: str, detail: str
) -> None:
    check = check_nodes([Node(release=a, hearing=b, misrouted_polls=c) for a, b, c in nodes])

    assert check.status == status
    assert detail in check.detail
