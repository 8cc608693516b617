"""The result of a request to a push service."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["sent", "gone", "busy", "refused", "unreachable", "forbidden_address"]


@dataclass(frozen=True, slots=True)
class PushResponse:
    """Result of a push request.

    Attributes:
        outcome: `sent`: accepted by the service; `gone`: the subscription has expired; `busy`, `unreachable`: worth a
            retry; `refused`, `forbidden_address`: permanent failure.
        status: HTTP status, or None if there was no response.
        retry_after: seconds to wait before a retry, as requested by the service.
    """

    outcome: Outcome
    status: int | None = None
    retry_after: float = 0.0

    @property
    def may_work_later(self) -> bool:
        """Whether a retry may succeed."""
        return self.outcome in {"busy", "unreachable"}
