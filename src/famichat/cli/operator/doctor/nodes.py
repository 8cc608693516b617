"""The check of `famichat doctor` of the servers that share a PostgreSQL."""

from collections.abc import Sequence

from famichat.app.environment.check import Check
from famichat.cli.options import counted
from famichat.storage.node import Node


def check_nodes(nodes: Sequence[Node]) -> Check:
    """Check the versions of the running nodes, whether all hear others, and whether long polls find their session."""
    if not nodes:
        return Check("nodes", Check.OK, "none is running")
    releases = sorted({node.release for node in nodes})
    if len(releases) > 1:
        versions = f"they run different versions ({', '.join(releases)}); restart the older ones"
        return Check("nodes", Check.NOTE, f"{len(nodes)} running; {versions}")
    deaf = sum(not node.hearing for node in nodes)
    if deaf:
        advice = "restart these, and check the way from them to it (FAMICHAT_PUBSUB_URL)"
        return Check(
            "nodes", Check.NOTE, f"{len(nodes)} running; from the broker, {deaf} of them receive nothing; {advice}"
        )
    misrouted = sum(node.misrouted_polls for node in nodes)
    if misrouted:
        polls = f"{counted(misrouted, 'long poll')} arrived at another node than their session"
        advice = "if the number grows, make the load balancer keep each client on one node (deploy/balancers)"
        return Check("nodes", Check.NOTE, f"{len(nodes)} running; {polls}; {advice}")
    return Check("nodes", Check.OK, f"{len(nodes)} running, version {releases[0]}")
