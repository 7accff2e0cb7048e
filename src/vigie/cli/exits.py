"""What the exit code of a command says."""

from vigie.errors import (
    LabelError,
    MissingExtraError,
    SettingsError,
    UnavailableError,
    UnknownPartError,
    VigieError,
)

OK = 0
FAILURE = 1
USAGE = 2
UNAVAILABLE = 3
RESTART = 75
INTERRUPTED = 130

MEANINGS = {
    OK: "done",
    FAILURE: "it failed; the line on standard error says why",
    USAGE: "the command line or the settings cannot be used",
    UNAVAILABLE: "a server (database, broker, registry) does not answer; try again",
    RESTART: "the role wants to be started again, with changed settings",
    INTERRUPTED: "interrupted from the keyboard",
}

_CODES: tuple[tuple[type[VigieError], int], ...] = (
    (SettingsError, USAGE),
    (UnknownPartError, USAGE),
    (MissingExtraError, USAGE),
    (LabelError, FAILURE),
    (UnavailableError, UNAVAILABLE),
)


def code_of(error: VigieError) -> int:
    """Return the exit code for an error.

    Examples
    --------
    >>> code_of(UnavailableError("the broker does not answer"))
    3
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILURE)
