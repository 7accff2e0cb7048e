"""One browser tab's labelling: questions leased ahead, answers stored in order, each exactly once."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vigie.errors import QuestionError, VigieError

if TYPE_CHECKING:
    from vigie.labelling import Asked, Labelling, Similar, Stored, Undone

AHEAD = 5
REMEMBERED = 10_000

Action = Literal["answer", "skip", "flag"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an annotator did with a question.

    Parameters
    ----------
    nonce
        Unique for this reply; the browser sends a reply again until it hears that it is stored.
    annotator
        Who gave it; a reply that waited in the browser keeps the name it was given under.
    question_id, action, labels
        Labels by dimension, for an answer.
    model_version
        Whose prediction was shown.
    duration_seconds
        From showing the question to the key press.
    exceptions
        Messages of the group that the answer does not hold for.
    also
        Groups that take the same answer.
    """

    nonce: str
    annotator: str
    question_id: int
    action: Action
    labels: Mapping[str, str] = field(default_factory=dict)
    model_version: str | None = None
    duration_seconds: float | None = None
    exceptions: tuple[str, ...] = ()
    also: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an answer that several groups were to take: how many were, how many did, and which questions that closed."""

    wanted: int
    taken: int
    closed: list[int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reply was not stored; ``gone`` when the question is not this annotator's any more."""

    gone: bool
    problem: str


class Journal:
    """Which replies are stored, for all tabs of this process, so that one sent twice is stored once."""

    def __init__(self) -> None:
        self._stored: OrderedDict[str, None] = OrderedDict()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, annotator: str) -> asyncio.Lock:
        """Return what keeps an annotator's replies, in all tabs, in order."""
        return self._locks[annotator]

    def add(self, nonce: str) -> None:
        """Remember a stored reply, and forget the oldest beyond `REMEMBERED`."""
        self._stored[nonce] = None
        if len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)

    def __contains__(self, nonce: str) -> bool:
        return nonce in self._stored


class Desk:
    """What one tab holds; every call to the store runs in a thread, so that no page waits for another's database write.

    Parameters
    ----------
    labelling
        Where questions come from and replies go.
    annotator
        Who sits here.
    journal
        Shared by all desks of the process.
    """

    def __init__(self, labelling: "Labelling", annotator: str, journal: Journal) -> None:
        self._labelling = labelling
        self._journal = journal
        self.annotator = annotator
        self.held: dict[int, Asked] = {}
        self._excepted: list[Asked] = []

    def take_excepted(self) -> "list[Asked]":
        """Return the questions about exceptions that came of replies since the last call; they are held already."""
        excepted, self._excepted = self._excepted, []
        return excepted

    async def fill(self) -> "list[Asked]":
        """Lease questions until `AHEAD` are held, and return the new ones."""
        async with self._lock:
            missing = AHEAD - len(self.held)
            if missing <= 0:
                return []
            new = await asyncio.to_thread(self._labelling.ask, self.annotator, missing)
            self.held |= {asked.question.id: asked for asked in new}
            return list(new)

    async def reply(self, reply: Reply) -> Refusal | Applied | None:
        """Store a reply; return why it could not be stored, or what became of it where several groups were to take it.

        A question refused for its labels stays held.
        """
        async with self._journal.lock(reply.annotator):
            if reply.nonce in self._journal:
                return None
            try:
                stored = await asyncio.to_thread(self._store, reply)
            except QuestionError as error:
                self.held.pop(reply.question_id, None)
                return Refusal(gone=True, problem=str(error))
            except VigieError as error:
                return Refusal(gone=False, problem=str(error))
            self._journal.add(reply.nonce)
            self.held.pop(reply.question_id, None)
            if stored is not None and reply.annotator == self.annotator:
                self.held |= {asked.question.id: asked for asked in stored.exceptions}
                self._excepted += stored.exceptions
            if stored is None or not reply.also:
                return None
            closed = [name for name, asked in self.held.items() if _took_along(asked, stored.also)]
            for question_id in closed:
                del self.held[question_id]
            return Applied(len(reply.also), len(stored.also), closed)

    async def similar(self, question_id: int) -> "Similar | None":
        """Return the groups that may take the answer to a question along, or None when it is not held any more."""
        if question_id not in self.held:
            return None
        return await asyncio.to_thread(self._labelling.similar, question_id, self.annotator)

    async def undo(self) -> "Undone | None":
        """Take back this annotator's latest reply and hold its question again; None when there is none left."""
        async with self._lock:
            undone = await asyncio.to_thread(self._labelling.undo, self.annotator)
            if undone is not None:
                rest = {key: asked for key, asked in self.held.items() if key not in undone.dropped}
                self.held = {undone.asked.question.id: undone.asked, **rest}
            return undone

    async def renew(self) -> list[int]:
        """Keep the leases; return the questions that went to someone else meanwhile, which are held no more."""
        async with self._lock:
            if not self.held:
                return []
            kept = await asyncio.to_thread(self._labelling.renew, self.annotator, list(self.held))
            lost = sorted(self.held.keys() - set(kept))
            for question_id in lost:
                del self.held[question_id]
            return lost

    async def release(self) -> None:
        """Give the questions back, for others to answer."""
        async with self._lock:
            ids = list(self.held)
            self.held.clear()
            if ids:
                await asyncio.to_thread(self._labelling.release, self.annotator, ids)

    @property
    def _lock(self) -> asyncio.Lock:
        return self._journal.lock(self.annotator)

    def _store(self, reply: Reply) -> "Stored | None":
        """Store a reply and return what came of an answer."""
        store: dict[Action, Callable[[], Stored | None]] = {
            "answer": lambda: self._labelling.submit(
                reply.question_id,
                reply.annotator,
                reply.labels,
                model_version=reply.model_version,
                duration_seconds=reply.duration_seconds,
                exceptions=reply.exceptions,
                keep_exceptions=True,
                also=reply.also,
            ),
            "skip": lambda: self._labelling.skip(reply.question_id, reply.annotator),
            "flag": lambda: self._labelling.flag(reply.question_id, reply.annotator),
        }
        return store[reply.action]()


def _took_along(asked: "Asked", group_ids: Sequence[int]) -> bool:
    return asked.question.group_id in group_ids and asked.question.parent_id is None
