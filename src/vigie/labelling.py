"""What an annotator talks to, whatever the door: questions out, answers in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from vigie.errors import LabelError
from vigie.labels import Annotation, Dimension, Prediction, Purpose, Question, check_labels
from vigie.store import MAX_GROUPS, Group, Offer, Store

REASONS: Mapping[str, str] = {
    "uncertain": "the model hesitates most here: dimension, and margin, confidence or entropy, in [0, 1]; size",
    "disagreement": "a committee of models disagrees: dimension, and votes or divergence, in [0, 1]; size",
    "different": "it is unlike all that was answered: similarity, the highest cosine to that, in [-1, 1]; size",
    "typical": "many groups without an answer are like it: alike, how many; size",
    "frequent": "a strategy chose by size alone: size",
    "largest": "nothing was learned yet, so the largest groups come first: size",
    "random": "a strategy chose at random: size",
    "doubt": "a model that did not learn from this person's answer finds another likelier: dimension, label and its "
    "confidence, in [0, 1]; earlier, the labels given then",
    "audit": "drawn at random in proportion to traffic, only to measure",
    "exception": "somebody singled this message out when they answered the rest of its group",
    "similar": "nobody was asked: it took the answer to another question, ``to``, along with it; size",
}
"""What `Question.reason` may say under ``why``, and which other keys come with it.

Of all: ``size``, messages in the group; ``new``, 1 where the group came after half of the answers; ``contested``, a dimension
in which a rule contradicts the model. Of some: ``alike``, groups of the same cluster among those looked at; ``similarity``;
``without``, what a strategy lacked (``vectors``, ``committee``) and did without; ``instead_of``, the reason of the question
that was open about the group.
"""

MAX_SIMILAR = 20
"""How many similar groups are offered at most."""

LEAST_SIMILARITY = 0.3
"""Cosine below which groups are not offered as similar: of neighbours that share all labels, 1 to 8 % lie below."""

_AT_ONCE = 40  # neighbours whose state is looked up together


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what the system would answer; ``text`` is the message to show.

    That is the newest real one of its group when the question was first asked, and of an exception the exception.
    """

    question: Question
    prediction: Prediction
    text: str


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: the question, asked again, the labels given, and the action: answered, skipped, flagged.

    ``dropped`` are the questions about exceptions of that answer, which are not asked any more, and ``exceptions`` their
    messages; ``also`` are the groups that had taken the answer along.
    """

    asked: Asked
    labels: Mapping[str, str]
    action: str
    dropped: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of an answer.

    Parameters
    ----------
    exceptions
        The questions about its exceptions, in the order given.
    also
        The groups that took it along, in the order given. Left out is what was answered, flagged, drawn for audit, evicted or
        leased to somebody else meanwhile.
    """

    exceptions: tuple[Asked, ...] = ()
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Near:
    """Groups by how much their templates are like another one, the most similar first.

    Parameters
    ----------
    group_ids
        At most as many as asked for.
    similarities
        A cosine each, in [-1, 1].
    looked_at, of
        How many groups were looked at, of how many that will be: the others are being read.
    """

    group_ids: Sequence[int] = ()
    similarities: Sequence[float] = ()
    looked_at: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class SimilarGroup:
    """A group that may take the answer to another one's question, with its newest message and what the system would say."""

    group_id: int
    count: int
    text: str
    similarity: float
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Similar:
    """Groups without an answer that are like another one, the most similar first; ``looked_at`` and ``of`` as in `Near`."""

    groups: tuple[SimilarGroup, ...]
    looked_at: int
    of: int


class Labelling:
    """Questions and answers of one project; every method may be called from any thread.

    Parameters
    ----------
    store
        Keeps questions and annotations.
    dimensions
        Returns what is asked of each message, as the settings in force say.
    predict
        Returns what the system says about some texts, in order.
    normalise
        Maps texts to templates, refined as the model in use has it.
    lease_seconds
        How long a question belongs to one annotator.
    clock
        Tells the time, aware.
    near
        Returns the groups nearest to a template; left out, none is similar to another.
    """

    def __init__(
        self,
        *,
        store: Store,
        dimensions: Callable[[], Sequence[Dimension]],
        predict: Callable[[Sequence[str]], list[Prediction]],
        normalise: Callable[[pl.Series], pl.Series],
        lease_seconds: float = 600.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        near: Callable[[str, float], Near] = lambda _template, _least: Near(),
    ) -> None:
        self._store = store
        self._dimensions = dimensions
        self._predict = predict
        self._normalise = normalise
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._near = near

    def ask(self, annotator: str, n: int = 1, *, again: bool = False) -> list[Asked]:
        """Lease at most `n` questions to an annotator, each with a prediction; none when there is nothing to ask.

        With `again`, those that the annotator holds already come first.
        """
        return self._with_predictions(self._store.questions.lease(annotator, n, self._lease_seconds, again=again))

    def submit(
        self,
        question_id: int,
        annotator: str,
        labels: Mapping[str, str],
        *,
        model_version: str | None = None,
        duration_seconds: float | None = None,
        exceptions: Sequence[str] = (),
        keep_exceptions: bool = False,
        also: Sequence[int] = (),
    ) -> Stored:
        """Store an answer for some or all dimensions; on disk when this returns, all of it or nothing.

        Parameters
        ----------
        question_id, annotator
            A question, and who holds it.
        labels
            By dimension.
        model_version
            Whose prediction the annotator saw.
        duration_seconds
            How long the answer took.
        exceptions
            Messages of the group that the answer does not hold for: they are asked about one by one.
        keep_exceptions
            Whether these questions are leased to the annotator at once; else they are the next ones to be asked.
        also
            Groups that take the same answer: all in one step, to be stored and undone together.

        Raises
        ------
        LabelError
            A dimension or label is unknown, or none is given; an exception is no message of the group; or too many groups are
            to take the answer.
        QuestionError
            The question is not theirs any more; or it was drawn for audit or is about one message, or a group never was in the
            pool, and others were to take the answer. Nothing was stored.
        """
        check_labels(self._dimensions(), labels)
        if exceptions:
            self._check_exceptions(question_id, exceptions)
        if len(also) > MAX_GROUPS:
            raise LabelError(f"{len(also)} groups were to take the answer along; expected at most {MAX_GROUPS} at once")
        self._store.questions.answer(
            question_id,
            annotator,
            labels,
            model_version=model_version,
            duration_seconds=duration_seconds,
            exceptions=exceptions,
            lease_seconds=self._lease_seconds if keep_exceptions else None,
            also=also,
        )
        excepted = self._store.questions.exceptions(question_id) if exceptions else []
        taken = self._store.alike.taken(question_id) if also else []
        return Stored(tuple(self._with_predictions(excepted)), tuple(taken))

    def similar(self, question_id: int, annotator: str, n: int = MAX_SIMILAR) -> Similar:
        """Return at most `n` groups that may take the answer to a question along with it, the most similar first.

        In a pool of 100,000 groups, all of them read, it takes some 80 ms of one processor with `linear.v1`; half are predictions.

        Raises
        ------
        QuestionError
            The question is not theirs any more, it was drawn for audit, or it is about one message alone.
        """
        question = self._store.alike.question(question_id, annotator)
        near = self._near(question.template, LEAST_SIMILARITY)
        similarity = dict(zip(near.group_ids, near.similarities, strict=True))
        similarity.pop(question.group_id, None)
        ids = list(similarity)
        offers: list[Offer] = []
        for start in range(0, len(ids), _AT_ONCE):
            if len(offers) < n:
                offers += self._store.alike.offers(annotator, ids[start : start + _AT_ONCE], n - len(offers))
        predictions = self._predict([offer.text for offer in offers]) if offers else []
        alike = [
            SimilarGroup(offer.group_id, offer.count, offer.text, similarity[offer.group_id], prediction)
            for offer, prediction in zip(offers, predictions, strict=True)
        ]
        return Similar(tuple(alike), near.looked_at, near.of)

    def skip(self, question_id: int, annotator: str) -> None:
        """Leave a question to others; raises QuestionError when it is not theirs any more."""
        self._store.questions.skip(question_id, annotator)

    def flag(self, question_id: int, annotator: str, comment: str = "") -> None:
        """Say that a question cannot be answered; raises QuestionError when it is not theirs any more."""
        self._store.questions.flag(question_id, annotator, comment)

    def undo(self, annotator: str) -> Undone | None:
        """Take back the annotator's newest answer, skip or flag, any number of times; None when there is nothing left."""
        undone = self._store.questions.undo(annotator, self._lease_seconds)
        if undone is None:
            return None
        asked = self._with_predictions([undone.question])[0]
        return Undone(asked, undone.labels, undone.action, undone.dropped, undone.exceptions, undone.also)

    def renew(self, annotator: str, question_ids: Sequence[int]) -> list[int]:
        """Lease questions for longer; return those that are still this annotator's."""
        return self._store.questions.renew(annotator, question_ids, self._lease_seconds)

    def release(self, annotator: str, question_ids: Sequence[int]) -> None:
        """Give questions back unanswered."""
        self._store.questions.release(annotator, question_ids)

    def annotate(self, text: str, labels: Mapping[str, str], annotator: str) -> int:
        """Store the labels of a message that nobody asked about; return the id of its group.

        Its group is made if need be. A group that was drawn for audit stays one: the annotation measures, and does not
        train.

        Raises
        ------
        LabelError
            A dimension or label is unknown, or none is given.
        """
        check_labels(self._dimensions(), labels)
        group_id, purpose = self._group_of(text)
        now = self._clock()
        self._store.annotations.add(
            [
                Annotation(group_id, dimension, label, annotator, purpose, now, message=text)
                for dimension, label in labels.items()
            ]
        )
        return group_id

    def _check_exceptions(self, question_id: int, exceptions: Sequence[str]) -> None:
        question = self._store.questions.get(question_id)
        if question is None:
            return
        if question.parent_id is not None:
            raise LabelError(f"question {question_id} is about one message, which has no exceptions")
        templates = self._normalise(pl.Series(exceptions, dtype=pl.String))
        for place, (message, template) in enumerate(zip(exceptions, templates, strict=True)):
            if template != question.template and message not in question.samples:
                raise LabelError(f"exceptions[{place}] is no message of the group of question {question_id}")

    def _group_of(self, text: str) -> tuple[int, Purpose]:
        template = self._normalise(pl.Series([text], dtype=pl.String))
        group = self._store.pool.find(template[0])
        if group is None:
            added = self._store.pool.add(pl.DataFrame({"text": [text], "template": template}), as_traffic=False)
            return int(added["group_id"][0]), Purpose.TRAIN
        return group.id, self._purpose_of(group)

    def _purpose_of(self, group: Group) -> Purpose:
        audited = group.id in self._store.audit.draws()["group_id"]
        return Purpose.AUDIT if audited else Purpose.TRAIN

    def _with_predictions(self, questions: Sequence[Question]) -> list[Asked]:
        texts = [question.message or next(iter(question.samples), question.template) for question in questions]
        predictions = self._predict(texts) if texts else []
        return [Asked(*row) for row in zip(questions, predictions, texts, strict=True)]
