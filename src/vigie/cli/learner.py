"""`vigie learner`: answers to models, and what to ask next."""

import threading

from vigie.cli import logs
from vigie.cli.exits import RESTART
from vigie.cli.options import HERE, DebugOption, LogJsonOption, ProjectOption
from vigie.cli.running import ending, kept_up_to_date, present

RESTART_FOR = frozenset({"project", "pool", "learning", "registry", "store"})


def learner(
    project: ProjectOption = HERE,
    debug: DebugOption = False,
    log_json: LogJsonOption = False,
) -> None:
    """Train models from the answers, promote them, and choose the next questions. One per project.

    Example: `vigie learner --project my-logs`
    """
    logs.set_up("learner", as_json=log_json, debug=debug)
    from vigie.app import Project, Watcher  # noqa: PLC0415 — takes a second, and `vigie --help` should not

    with ending() as wished:
        opened = Project.open(project)
        stop = threading.Event()
        watcher = Watcher(opened, restart_for=RESTART_FOR, on_restart=lambda: wished.ask(RESTART))
        with kept_up_to_date(opened, watcher):
            role = opened.learner()
            with present(opened.store.presence, "learner", role.details):
                thread = threading.Thread(target=role.run, args=(stop,), name="vigie-learner", daemon=True)
                thread.start()
                wished.wait()
                stop.set()
                thread.join(9)
