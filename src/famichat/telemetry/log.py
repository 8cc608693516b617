"""Structured logs: telemetry events and library log records, as JSON or formatted for a terminal.

Of an event, only the declared fields are logged. Library loggers stay at level warning, because some of them log
request lines, and a request line may contain a token.
"""

import dataclasses
import logging
import sys
from typing import Literal

from famichat.telemetry.events import Event
from famichat.telemetry.log_handler import SummarizingHandler

# structlog loads rich, 7 MB, if it is installed, as it is with the development tools. Its tracebacks contain the values
# of local variables, which must not be logged.
_has_rich = "rich" in sys.modules
if not _has_rich:
    sys.modules["rich"] = None  # type: ignore[assignment]  # `import rich` then raises ImportError
import structlog  # noqa: E402 - see above

if not _has_rich:
    del sys.modules["rich"]

LogFormat = Literal["json", "console"]

_LOGGER_NAME = "famichat.events"
_events = structlog.stdlib.get_logger(_LOGGER_NAME)
_logger = logging.getLogger(_LOGGER_NAME)
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Configure logging for this process: one record per line on standard error; see `SummarizingHandler`.

    Args:
        level: the lowest level of Famichat's own records, such as "INFO".
        log_format: "json" or "console".
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = SummarizingHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("famichat").setLevel(level)


def log_event(event: Event) -> None:
    """Log the name and the declared fields of a telemetry event."""
    level = _LEVELS[event.level]
    if _logger.isEnabledFor(level):
        _events.log(level, event.name, **_fields(event))


def _fields(event: Event) -> dict[str, object]:
    return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
