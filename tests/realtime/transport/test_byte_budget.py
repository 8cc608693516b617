from famichat.realtime.transport.byte_budget import ByteBudget, HeldBytes


def test_one_address_cannot_use_up_the_budget_of_others() -> None:
    budget = ByteBudget(per_address_limit=10, total_limit=25)

    assert budget.add("a", 10)
    assert not budget.add("a", 1)
    assert budget.add("b", 10)


def test_all_addresses_together_are_limited() -> None:
    budget = ByteBudget(per_address_limit=10, total_limit=25)
    for address in "ab":
        budget.add(address, 10)

    assert not budget.add("c", 6)


def test_a_proxy_counts_in_total_only() -> None:
    budget = ByteBudget(per_address_limit=10, total_limit=25)

    assert budget.add(None, 25)
    assert not budget.add("a", 1)


def test_released_bytes_are_free_again() -> None:
    budget = ByteBudget(per_address_limit=10, total_limit=10)
    budget.add("a", 10)
    budget.remove("a", 10)

    assert budget.total == 0
    assert budget.add("a", 10)


def test_a_connection_counts_what_it_holds_now() -> None:
    budget = ByteBudget(per_address_limit=10, total_limit=10)
    held, other = HeldBytes(budget, "a"), HeldBytes(budget, "a")

    assert [held.count(8), held.count(5), other.count(6), other.count(0)] == [True, True, False, True]
    assert (budget.total, held.size) == (5, 5)
