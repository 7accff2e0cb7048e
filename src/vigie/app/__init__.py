"""The composition root: settings to parts to roles. Nothing else joins them."""

from vigie.app.project import Project
from vigie.app.services import Services
from vigie.app.watcher import Watcher

__all__ = ["Project", "Services", "Watcher"]
