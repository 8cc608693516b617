"""Parses query strings as Plug does: the last of two equal names wins, and `a[b]=c` nests (rule 5).

>>> parse("vsn=2.0.0&token=a&token=b&user[name]=ann")
{'vsn': '2.0.0', 'token': 'b', 'user': {'name': 'ann'}}
"""

import re
from typing import Any
from urllib.parse import parse_qsl

_MAX_FIELDS = 200
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\]){0,8})")
_KEY = re.compile(r"\[([^\[\]]*)\]")


def parse(query: str) -> dict[str, Any]:
    """Parse the parameters of a request.

    Raises:
        ValueError: more than 200 parameters, or percent-encoded bytes that are not UTF-8.
    """
    params: dict[str, Any] = {}
    for name, value in pairs(query):
        found = _NAME.fullmatch(name)
        if found is None:
            params[name] = value
        else:
            _put(params, [found[1], *_KEY.findall(found[2])], value)
    return params


def pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters as name-value pairs, in order."""
    return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)


def _put(params: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for key in parents:
        inner = params.get(key)
        if not isinstance(inner, dict):
            inner = params[key] = {}
        params = inner
    params[last] = value
