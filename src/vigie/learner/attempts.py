"""Trying again, less and less often, what failed."""

import logging
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta

from vigie.errors import UnavailableError, VigieError

logger = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 60.0


class Attempts:
    """One piece of a role's work, which may fail without ending the role.

    After a failure it rests for one second, then two, four, … at most a minute, or as long as the error says.

    Parameters
    ----------
    what
        The work, as an error message names it.
    clock
        Tells the time.

    Attributes
    ----------
    problem
        Why the last attempt failed; None when it succeeded.
    """

    def __init__(self, what: str, clock: Callable[[], datetime]) -> None:
        self._what = what
        self._clock = clock
        self._failures = 0
        self._not_before: datetime | None = None
        self.problem: str | None = None

    def run(self, work: Callable[[], object]) -> bool:
        """Do the work, unless it rests after a failure; return whether it was done."""
        if self._not_before is not None and self._clock() < self._not_before:
            return False
        try:
            work()
        except Exception as error:  # noqa: BLE001 — the outermost loop of the role: it goes on whatever fails
            self._failed(error)
            return False
        self._failures, self._not_before, self.problem = 0, None, None
        return True

    def _failed(self, error: Exception) -> None:
        # What others raise may quote a message; only its place in the code is logged.
        reason = str(error) if isinstance(error, VigieError) else type(error).__name__
        place = "" if isinstance(error, VigieError) else "".join(traceback.format_tb(error.__traceback__))
        self._failures += 1
        seconds = min(2.0 ** (self._failures - 1), MAX_WAIT_SECONDS)
        if isinstance(error, UnavailableError):
            seconds = max(seconds, error.retry_after_seconds)
        self._not_before = self._clock() + timedelta(seconds=seconds)
        self.problem = f"{self._what} failed: {reason}"
        logger.warning("%s; next try in %g s\n%s", self.problem, seconds, place, extra={"action": "learner_failed"})
