"""The result of one check, for a person and for programs."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: the name of the check, such as "secrets".
        status: one of OK, NOTE (works, but needs attention) and BAD.
        detail: a sentence for the operator. If the status is not OK, it says what to do.
    """

    OK: ClassVar = "ok"
    NOTE: ClassVar = "note"
    BAD: ClassVar = "bad"

    name: str
    status: str
    detail: str
