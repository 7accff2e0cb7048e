"""What an annotator talks to, whatever the door: questions out, answers in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from vigie.errors import LabelError
from vigie.labels import Annotation, Dimension, Prediction, Purpose, Question, check_labels
from vigie.store import Group, Store

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
}
"""What `Question.reason` may say under ``why``, and which other keys come with it.

Of all: ``size``, messages in the group; ``new``, 1 where the group came after half of the answers; ``contested``, a dimension
in which a rule contradicts the model. Of some: ``alike``, groups of the same cluster among those looked at; ``similarity``;
``without``, what a strategy lacked (``vectors``, ``committee``) and did without.
"""


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
    messages.
    """

    asked: Asked
    labels: Mapping[str, str]
    action: str
    dropped: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()


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
    ) -> None:
        self._store = store
        self._dimensions = dimensions
        self._predict = predict
        self._normalise = normalise
        self._lease_seconds = lease_seconds
        self._clock = clock

    def ask(self, annotator: str, n: int = 1) -> list[Asked]:
        """Lease at most `n` questions to an annotator, each with a prediction; none when there is nothing to ask."""
        return self._with_predictions(self._store.questions.lease(annotator, n, self._lease_seconds))

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
    ) -> list[Asked]:
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

        Returns
        -------
        The questions about the exceptions, in the order given.

        Raises
        ------
        LabelError
            A dimension or label is unknown, or none is given; an exception is no message of the group.
        QuestionError
            The question is not theirs any more.
        """
        check_labels(self._dimensions(), labels)
        if exceptions:
            self._check_exceptions(question_id, exceptions)
        self._store.questions.answer(
            question_id,
            annotator,
            labels,
            model_version=model_version,
            duration_seconds=duration_seconds,
            exceptions=exceptions,
            lease_seconds=self._lease_seconds if keep_exceptions else None,
        )
        return self._with_predictions(self._store.questions.exceptions(question_id)) if exceptions else []

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
        return Undone(asked, undone.labels, undone.action, undone.dropped, undone.exceptions)

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
