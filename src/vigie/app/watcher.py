"""Noticing a new champion and changed settings while a role runs."""

import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from vigie.app.project import Project
from vigie.errors import ModelError, SettingsError, UnavailableError, VigieError
from vigie.settings import FILE_NAME, Settings

log = logging.getLogger(__name__)

HOT = frozenset({"dimensions", "rules", "routing", "folder"})
"""Sections that take effect at once in every role; each role says which of the others it needs a new start for."""


class Watcher:
    """Looks every second for a new champion, a changed `vigie.toml`, or a changed rules file.

    What is broken is reported once, in the log and as `problem`, and what was in force stays in force.

    Parameters
    ----------
    project
        Whose labeller and settings are kept up to date.
    restart_for
        Sections of the settings whose change `on_restart` is called for.
    on_restart
        Asks the role to stop, so that it starts anew with the changed settings.
    interval_seconds
        Time between looks.
    """

    def __init__(
        self,
        project: Project,
        *,
        restart_for: Collection[str] = (),
        on_restart: Callable[[], None] = lambda: None,
        interval_seconds: float = 1.0,
    ) -> None:
        self._project = project
        self._restart_for = frozenset(restart_for) - HOT
        self._on_restart = on_restart
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vigie-watcher", daemon=True)
        self._seen = self._fingerprint()
        self.settings_problem: str | None = None
        self.model_problem: str | None = None
        self.has_reached_registry = False
        """Whether the registry ever said which version is the champion, or that there is none."""

    def start(self) -> None:
        """Look once, then go on in a thread of its own.

        Raises
        ------
        MissingExtraError, UnknownPartError
            The champion needs what is not installed here: the role has no older model to keep.
        """
        self._look_at_settings()
        self._look_at_champion(refused=(UnavailableError, ModelError))
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; waits for a look under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def look(self) -> None:
        """Look once."""
        self._look_at_settings()
        self._look_at_champion()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_seconds):
            try:
                self.look()
            except Exception:  # the outermost loop of this thread: nobody else would notice that it ended
                log.exception("looking for changes failed; trying again", extra={"action": "watcher_failed"})

    def _look_at_settings(self) -> None:
        now = self._fingerprint()
        if now == self._seen:
            return
        self._seen = now
        old = self._project.settings
        try:
            new = self._project.read_again()
            self._project.follow(new)
        except SettingsError as error:
            self.settings_problem = str(error)
            log.warning("the change is not in force: %s", error, extra={"action": "settings_refused"})
            return
        self.settings_problem = None
        log.info("changed settings are in force", extra={"action": "settings_changed"})
        if changed := self._needs_restart(old, new):
            log.info("starting again for changes in: %s", ", ".join(changed), extra={"action": "restart"})
            self._on_restart()

    def _needs_restart(self, old: Settings, new: Settings) -> list[str]:
        return [name for name in sorted(self._restart_for) if getattr(old, name) != getattr(new, name)]

    def _look_at_champion(self, refused: tuple[type[VigieError], ...] = (VigieError,)) -> None:
        before = self._project.labeller.model.version if self._project.labeller.model else None
        try:
            version = self._project.use_champion()
            self.has_reached_registry = True
        except refused as error:
            self.has_reached_registry |= not isinstance(error, UnavailableError)
            if str(error) != self.model_problem:
                kept = f"keeping model version {before}" if before else "labelling without a model"
                log.warning("%s: %s", kept, error, extra={"action": "champion_refused"})
            self.model_problem = str(error)
            return
        self.model_problem = None
        if version != before:
            log.info("now using model version %s", version, extra={"action": "champion_changed"})

    def _fingerprint(self) -> tuple[object, ...]:
        folder = self._project.folder
        return tuple(_stamp(folder / name) for name in (FILE_NAME, self._project.settings.rules.path))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
