"""`vigie learner`: answers to models, and what to ask next."""

import logging
import threading
from typing import TYPE_CHECKING

from vigie.cli import logs
from vigie.cli.exits import FAILURE, RESTART
from vigie.cli.options import HERE, DebugOption, OnlyLogJsonOption, ProjectOption
from vigie.cli.running import Ending, ending, kept_up_to_date, present

if TYPE_CHECKING:
    from vigie.learner.loop import Learner

RESTART_FOR = frozenset({"project", "pool", "learning", "registry", "store"})
NICENESS = 10

logger = logging.getLogger(__name__)


def learner(
    project: ProjectOption = HERE,
    debug: DebugOption = False,
    log_json: OnlyLogJsonOption = False,
) -> None:
    """Train models from the answers, promote them, and choose the next questions. One per project.

    Example: `vigie learner --project my-logs`
    """
    logs.set_up("learner", as_json=log_json, debug=debug)
    with ending() as wished:
        from vigie.app import Project, Watcher  # noqa: PLC0415 — takes a second, and `vigie --help` should not

        opened = Project.open(project)
        role = opened.learner()
        watcher = Watcher(opened, restart_for=RESTART_FOR, on_restart=lambda: wished.ask(RESTART))
        with kept_up_to_date(opened, watcher), present(opened.store.presence, "learner", role.details):
            work(role, wished)


def work(role: "Learner", wished: Ending) -> None:
    """Let the learner work in a thread until it is wished to end.

    A training under way cannot be interrupted, only left: nothing of it counts until its model is registered.
    """
    stop = threading.Event()

    def run() -> None:
        """Learn until told to stop; a fault is logged and ends the process with the code for failure."""
        try:
            role.run(stop, niceness=NICENESS)
        except Exception:
            # The outermost loop of the role: the supervisor starts it anew.
            logger.exception("the learner ended by a fault in Vigie", extra={"action": "learner_failed"})
            wished.ask(FAILURE)

    thread = threading.Thread(target=run, name="vigie-learner", daemon=True)
    thread.start()
    wished.wait()
    stop.set()
    thread.join()
