"""One learner per project: of several, one acts and the others wait for it to end."""

import logging
import uuid
from collections.abc import Callable, Sequence

from vigie.store import Presence, Roster

logger = logging.getLogger(__name__)

ROLE = "learner"
ALIVE_SECONDS = 10.0
"""A learner unheard of for so long has ended."""
WAITS = "another learner of this project acts; this one waits until that ends"


class Turn:
    """Whether this learner is the one that acts.

    Each learner says in its presence who it is and whether it acts. One that acts goes on; else the one that started
    first begins. Two may both act for as long as a heartbeat takes to be seen, which does no harm: they make the same
    questions, and both go through the gate.

    Parameters
    ----------
    roster
        Where learners are seen; each must say there what `details` returns.
    """

    def __init__(self, roster: Roster, *, make_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._roster = roster
        self._id = make_id()
        self._is_waiting = False
        self.acting = False

    def take(self) -> bool:
        """Look who is there; return whether this learner acts, from now on or still."""
        alive = [role for role in self._roster.alive(ALIVE_SECONDS) if role.role == ROLE]
        self.acting = self._first(alive) in (None, self._id)
        self._say()
        return self.acting

    def details(self) -> dict[str, object]:
        """Return what other learners need to know."""
        return {"id": self._id, "acting": self.acting}

    def _say(self) -> None:
        """Log when a wait begins and when it ends, for else a learner that waits looks like one that hangs."""
        if self._is_waiting == self.acting:
            said = "the other learner has ended; this one acts now" if self.acting else WAITS
            logger.info(said, extra={"action": "learner_acts" if self.acting else "learner_waits"})
        self._is_waiting = not self.acting

    def _first(self, alive: Sequence[Presence]) -> str | None:
        """Return who goes first; None when nobody is there."""
        acting = [role for role in alive if self._acts(role)]
        order = sorted(acting or alive, key=lambda role: (role.started_at, role.instance))
        return str(order[0].details.get("id")) if order else None

    def _acts(self, role: Presence) -> bool:
        return self.acting if role.details.get("id") == self._id else bool(role.details.get("acting"))
