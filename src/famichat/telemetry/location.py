"""Says where an exception was raised without quoting its text, which may contain a message or a token."""

import traceback
from pathlib import Path


def raised_at(error: BaseException) -> str:
    """Return the innermost line of an exception's traceback, such as "sweep.py:58"; "unknown" without a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
