import pytest

from famichat.realtime.transport import query


def test_rule_5_the_last_of_equal_names_wins() -> None:
    assert query.parse("token=a&vsn=2.0.0&token=b") == {"token": "b", "vsn": "2.0.0"}


def test_rule_5_brackets_nest() -> None:
    assert query.parse("a[b]=1&a[c][d]=2&e[]=3") == {"a": {"b": "1", "c": {"d": "2"}}, "e": {"": "3"}}


def test_rule_5_a_name_that_is_a_value_first_becomes_an_object_later() -> None:
    assert query.parse("a=1&a[b]=2") == {"a": {"b": "2"}}


@pytest.mark.parametrize("name", ["[a]", "a]b", "a[b", "a[b]c", "a" + "[b]" * 9])
def test_other_uses_of_brackets_are_plain_names(name: str) -> None:
    assert query.parse(f"{name}=1") == {name: "1"}


@pytest.mark.parametrize("text", ["a=%ff", "&".join("a=1" for _ in range(201))])
def test_an_invalid_query_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        query.parse(text)
