"""One answer, whatever the format of the file that it comes from or goes to."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from vigie.labels import Purpose

MAX_ANNOTATOR_CHARACTERS = 200
"""Of a name; PostgreSQL has no place in an index for much longer ones."""


class Status(StrEnum):
    """What a person did with a message; ``open`` when nobody did anything."""

    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    SKIPPED = "skipped"
    FLAGGED = "flagged"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said about one message at one time.

    Parameters
    ----------
    text
        The message.
    labels
        By dimension; of an answer that was taken back what had been said, of skips, flags and open messages nothing.
    annotator
        Who; None where the file does not say.
    created_at
        When, aware; None where the file does not say.
    id
        What the answer is called where it comes from; None where it has no name.
    status
        What the person did.
    purpose
        What the answer may be used for.
    comment
        What the person wrote when flagging.
    model_version
        Whose prediction the person saw.
    duration_seconds
        How long it took.
    is_exception
        Whether it is about this message alone, not about the rest of its group.
    settled
        Whether a reviewer settled it, so that it wins over what others said.
    line
        Where it stands in the file, from 1; no part of the answer itself.
    """

    text: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotator: str | None = None
    created_at: datetime | None = None
    id: str | None = None
    status: Status = Status.ANSWERED
    purpose: Purpose = Purpose.TRAIN
    comment: str = ""
    model_version: str | None = None
    duration_seconds: float | None = None
    is_exception: bool = False
    settled: bool = False
    line: int = field(default=0, compare=False)


def name_of(template: str, annotator: str, created_at: datetime) -> str:
    """Return the id of an answer that was given here: a UUID, the same in every copy of the project.

    Parameters
    ----------
    template
        Of the group that was answered.
    annotator, created_at
        Who, and when.

    Examples
    --------
    >>> name_of("disk <n> failed", "ann", datetime(2026, 11, 21, tzinfo=UTC))
    'd9a40107-4583-88cf-bda6-a79079ab948b'
    """
    parts = (template, annotator, created_at.astimezone(UTC).isoformat())
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
    # RFC 9562 leaves version 8 to whoever makes the number; the tools that want a UUID look no further.
    marked = bytes([*digest[:6], digest[6] & 0x0F | 0x80, digest[7], digest[8] & 0x3F | 0x80, *digest[9:]])
    return str(uuid.UUID(bytes=marked))
