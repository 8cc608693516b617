"""Query parameters that several endpoints share."""

from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator

from famichat.chat.messages.page import MAX_PAGE, MAX_SEQ


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is written in digits")  # Pydantic would also accept " 1", "1.0" and "1_0"
    return value


Seq = Annotated[int | None, BeforeValidator(_digits), Query(ge=0, le=MAX_SEQ)]
"""A position in a conversation, or in another numbered list."""

Limit = Annotated[
    int | None,
    BeforeValidator(_digits),
    Query(ge=1, le=MAX_SEQ, description=f"Over {MAX_PAGE} is taken as {MAX_PAGE}."),
]
"""The page size."""
