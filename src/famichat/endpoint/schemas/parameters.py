"""Query parameters and headers that several endpoints share."""

from typing import Annotated

from fastapi import Header, Query
from pydantic import AfterValidator, BeforeValidator

from famichat.chat.list_cursor import ListCursor
from famichat.chat.messages.page import MAX_PAGE, MAX_SEQ


def digits(value: object) -> object:
    """Refuse a number in a query that is written in anything but digits. Validates before Pydantic."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("a whole number is written in digits")  # Pydantic would also accept " 1", "1.0" and "1_0"
    return value


Seq = Annotated[int | None, BeforeValidator(digits), Query(ge=0, le=MAX_SEQ)]
"""A position in a conversation, or in another numbered list."""

Limit = Annotated[
    int | None,
    BeforeValidator(digits),
    Query(ge=1, le=MAX_SEQ, description=f"Over {MAX_PAGE} is taken as {MAX_PAGE}."),
]
"""The page size."""


def _list_cursor(text: str | None) -> str | None:
    if text is not None:
        ListCursor.parse(text)
    return text


Cursor = Annotated[
    str | None,
    AfterValidator(_list_cursor),
    Query(description="The `next_cursor` of the previous page. Only the conversations behind it are returned."),
]
"""The end of the previous page of the conversation list; `ListCursor.parse` accepts it."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r'^("[!#-\[\]-~]{1,128}"|[!#-\[\]-~]{1,128})$',
        description="A random string, with or without quotes. A request repeated with it creates nothing again.",
    ),
    AfterValidator(lambda key: None if key is None else key.strip('"')),
]
"""See draft-ietf-httpapi-idempotency-key-header, and the section on retries in `docs/protocol.md`."""
