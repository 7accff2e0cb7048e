"""What goes into the registry with a model version, and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """What is kept of one training.

    Parameters
    ----------
    folder
        The saved artefact.
    outputs
        Names of the dimensions, for the signature.
    parameters
        What was chosen; plain values.
    metrics
        What was measured.
    dataset_digest
        Hash of the texts and labels it was trained on, at most 36 characters.
    n_examples
        How many texts these were.
    example
        Some texts for the input example.
    tags
        Whatever else is worth finding again.
    """

    folder: Path
    outputs: Sequence[str]
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    dataset_digest: str
    n_examples: int
    example: Sequence[str] = ("disk sda1 is full",)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One registered version, as pages show it."""

    version: str
    created_at: datetime
    metrics: Mapping[str, float]
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
