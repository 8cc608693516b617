"""How many nodes a deployment needs: the arithmetic of docs/scaling.md, which contains the table that this prints.

python -m bench.capacity
"""

from dataclasses import dataclass

PEOPLE = 6
"""Members of a family. Each is online with one device at the peak, so connections are people online."""
MESSAGES_PER_DAY, PEAK, SECONDS_PER_DAY = 50, 4, 86_400
ACKS_PER_DELIVERY = 2  # delivered, read
BYTES_PER_MESSAGE = 865
NODE_CORES = 0.6
"""How much of a core a node may use at the peak, so that it stays fast and can take over the clients of another one."""
DATABASE_MESSAGE, DATABASE_ACK = 0.0005, 0.00025
"""Seconds of CPU that PostgreSQL needs for one message and one acknowledgement, in full batches."""
SIZES = (1_000, 10_000, 100_000, 300_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU of a node.

    Attributes:
        connection: per idle connection and second.
        message: per message of a family, with its deliveries.
        acknowledgement: per acknowledgement.
        broker_message: per message of the broker that concerns no client of the node.
    """

    connection: float
    message: float
    acknowledgement: float
    broker_message: float


MEASURED = Costs(connection=0.000013, message=0.00062, acknowledgement=0.0003, broker_message=0.0000036)
"""See docs/scaling.md. A broker message that arrives together with others costs less: 0.5 µs in batches of fifty."""
TARGETS = Costs(connection=0.000013, message=0.0005, acknowledgement=0.00008, broker_message=0.000005)


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of connections causes at the peak, per second."""

    connections: int

    @property
    def messages(self) -> float:
        """Messages that are sent."""
        return self.connections * MESSAGES_PER_DAY * PEAK / SECONDS_PER_DAY

    @property
    def acknowledgements(self) -> float:
        """Acknowledgements of the other members."""
        return self.messages * (PEOPLE - 1) * ACKS_PER_DELIVERY

    @property
    def database_cores(self) -> float:
        """Cores that PostgreSQL needs."""
        return self.messages * DATABASE_MESSAGE + self.acknowledgements * DATABASE_ACK

    @property
    def gigabytes_per_day(self) -> float:
        """New data, without files."""
        return self.connections * MESSAGES_PER_DAY * BYTES_PER_MESSAGE / 1e9


def nodes(load: Load, costs: Costs, *, interest: bool, affinity: bool = False) -> int | None:
    """Return the smallest number of nodes that carries a load; None if no number does.

    Args:
        load: the load.
        costs: what it costs.
        interest: whether a node receives only broker messages that concern its clients. Otherwise it receives all.
        affinity: whether all devices of a family are on one node.
    """
    own = (
        load.connections * costs.connection
        + load.messages * costs.message
        + load.acknowledgements * costs.acknowledgement
    )
    published = load.messages + load.acknowledgements
    for count in range(1, 2_000):
        hearing = _nodes_of_a_family(count, affinity=affinity) if interest else count
        if own / count + published * (hearing - 1) / count * costs.broker_message <= NODE_CORES:
            return count
    return None


def _nodes_of_a_family(count: int, *, affinity: bool) -> float:
    """Return the average number of nodes on which the devices of a family are, of all."""
    return 1.0 if affinity else count * (1 - (1 - 1 / count) ** PEOPLE)


def table() -> list[str]:
    """Return the rows of the table in docs/scaling.md."""
    return [_row(Load(connections)) for connections in SIZES]


def _row(load: Load) -> str:
    plans = (
        nodes(load, MEASURED, interest=False),
        nodes(load, MEASURED, interest=True),
        nodes(load, TARGETS, interest=True),
        nodes(load, TARGETS, interest=True, affinity=True),
    )
    cells = (
        f"{load.connections:,}",
        f"{load.messages:,.0f}, {load.acknowledgements:,.0f}",
        *("none suffices" if each is None else f"{each:,}" for each in plans),
        f"{load.database_cores:.2g}",
        f"{load.gigabytes_per_day:.2g} GB",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print("\n".join(table()))
