"""Log lines on standard error: short for people, JSON for programs."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[1;31m"}
_RESET = "\x1b[0m"


class Plain(logging.Formatter):
    """A time, the level, what happened.

    Parameters
    ----------
    colours
        Whether warnings and errors stand out, for a terminal.
    """

    def __init__(self, *, colours: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and a traceback where there is one."""
        line = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._colours else None
        return f"{colour}{line}{_RESET}" if colour else line


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment: a progress bar stands in for it while it shows."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


class Json(logging.Formatter):
    """One JSON object a line, with everything that was passed as ``extra`` (such as ``action``).

    Parameters
    ----------
    role
        Which role logs; left out when empty.
    """

    def __init__(self, role: str = "") -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **({"role": self._role} if self._role else {}),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


def set_up(role: str = "", *, as_json: bool = False, debug: bool = False) -> None:
    """Send log lines to standard error; what other packages log only from warnings on.

    Parameters
    ----------
    role
        Which role logs. Without one this is a command that ends by itself: it says what it did on standard output, and
        logs only warnings.
    as_json
        One JSON object a line.
    debug
        Show details of Vigie's own, and Python's warnings.
    """
    handler = StandardError()
    handler.setFormatter(Json(role) if as_json else Plain(colours=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("vigie").setLevel(_level(role, debug=debug))
    if not debug:
        # Warnings of other packages tell developers about their next version; a user cannot do anything about them.
        warnings.simplefilter("ignore")
        for name in ("mlflow", "alembic", "uvicorn.error"):
            logging.getLogger(name).setLevel(logging.ERROR)


def _level(role: str, *, debug: bool) -> int:
    if debug:
        return logging.DEBUG
    return logging.INFO if role else logging.WARNING
