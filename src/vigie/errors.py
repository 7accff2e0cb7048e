"""Every exception Vigie raises on purpose.

::

    VigieError
    ├── SettingsError (ValueError)          vigie.toml or rules.toml cannot be used           stop
    ├── MissingExtraError (ImportError)     a part needs `pip install vigie[…]`               stop
    ├── UnknownPartError (LookupError)      no source, sink, classifier or strategy so named  stop
    ├── FencedError (RuntimeError)          another worker took over this one's identity      stop
    ├── MessageError (ValueError)           this message is bad, go on with the next          dead letter
    ├── UnavailableError (ConnectionError)  a server does not answer now, try again           wait
    │   └── InboxFullError                  too many messages wait for the stream worker      wait
    ├── LabelError (ValueError)             an answer names no known dimension or label       refuse
    ├── QuestionError (LookupError)         a question is not (any more) theirs to answer     refuse
    │   └── UnknownQuestionError            there is no such question                         refuse
    └── ModelError (RuntimeError)           a model version cannot be fitted, stored or read  keep the old one

The class docstring is the default message. The last column says what a role does about it.
"""


class VigieError(Exception):
    """Vigie could not go on."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class SettingsError(VigieError, ValueError):
    """The settings cannot be used."""


class MissingExtraError(VigieError, ImportError):
    """A part of Vigie that is not installed was asked for.

    Parameters
    ----------
    part
        What was asked for, as the user wrote it.
    extra
        The extra that installs it.
    """

    def __init__(self, part: str, extra: str) -> None:
        super().__init__(f"{part} needs more packages; install them with: pip install 'vigie[{extra}]'")


class UnknownPartError(VigieError, LookupError):
    """No part with that name is installed."""


class FencedError(VigieError, RuntimeError):
    """Another worker runs with this worker's transactional id; this one must stop."""


class MessageError(VigieError, ValueError):
    """A message cannot be used."""


class UnavailableError(VigieError, ConnectionError):
    """A server does not answer.

    Parameters
    ----------
    message
        What failed, and where.
    retry_after_seconds
        How long to wait before the next try.
    """

    def __init__(self, message: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class InboxFullError(UnavailableError):
    """Too many messages wait for the stream worker."""


class LabelError(VigieError, ValueError):
    """An answer names a dimension or a label that the project does not have."""


class QuestionError(VigieError, LookupError):
    """The question is not open any more."""


class UnknownQuestionError(QuestionError):
    """There is no such question."""


class ModelError(VigieError, RuntimeError):
    """A model version cannot be used."""
