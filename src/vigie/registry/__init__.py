"""Model versions in MLflow: runs, a registered model, and the aliases `champion` and `challenger`.

Only MLflow's client is used, never its global state, so that a process may talk to several servers. A version is logged as code
(`pyfunc.py`) beside the artefact folder; nothing is pickled. Importing MLflow takes a second or more and 100 MB, which is why it happens
at the first use, and why looking up and fetching the champion of a database does without.
"""

from vigie.registry.client import CHALLENGER, CHAMPION, Registry
from vigie.registry.records import TrainingRecord, VersionInfo

__all__ = ["CHALLENGER", "CHAMPION", "Registry", "TrainingRecord", "VersionInfo"]
