"""The composition root: settings to parts to roles. Nothing else joins them."""

from vigie.app.corrections import corrections_worker
from vigie.app.dead_letters import DeadLetters
from vigie.app.project import Project
from vigie.app.services import Services
from vigie.app.watcher import Watcher

__all__ = ["DeadLetters", "Project", "Services", "Watcher", "corrections_worker"]
