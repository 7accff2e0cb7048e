"""How the questions and labels of another tool are called here, and ours there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vigie.exchange.fields import Row
from vigie.labels import Dimension

BETWEEN = ":"
"""Stands between dimension and label where a tool has one list for all labels."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader must know of the project and of the file.

    Parameters
    ----------
    dimensions
        What is asked of each message here.
    text
        The name of what holds the message in the file; None for the name that is usual in its format.
    questions
        Dimensions by what the file calls them; a question that is missing has the name of its dimension.
    """

    dimensions: Sequence[Dimension]
    text: str | None = None
    questions: Mapping[str, str] = field(default_factory=dict)

    def message(self, row: Row, usual: str = "text") -> str:
        """Return the message of a row.

        Raises
        ------
        SettingsError
            It has none.
        """
        return row.text(self.text or usual, "; say what holds the message with --text")

    def dimension(self, question: str) -> str:
        """Return the dimension of a question; whether the project has it is for others to say."""
        return self.questions.get(question, question)


def joined(dimension: str, label: str, dimensions: Sequence[Dimension]) -> str:
    """Return the name of a label in a list of all labels: with its dimension, where there are several.

    Examples
    --------
    >>> joined("severity", "error", [Dimension("severity", ()), Dimension("category", ())])
    'severity:error'
    """
    return label if len(dimensions) == 1 else f"{dimension}{BETWEEN}{label}"


def parted(name: str, dimensions: Sequence[Dimension]) -> tuple[str, str]:
    """Return dimension and label of a name in a list of all labels, the opposite of `joined`.

    A label alone will do where only one dimension has it. The dimension is empty where none can be told.
    """
    alone = [(one.name, name) for one in dimensions if name in one.label_names]
    prefixed = [
        (one.name, name.removeprefix(one.name + BETWEEN)) for one in dimensions if name.startswith(one.name + BETWEEN)
    ]
    known = [pair for pair in prefixed if pair[1] in _labels(pair[0], dimensions)]
    if len(dimensions) == 1:
        return (alone or prefixed or [(dimensions[0].name, name)])[0]
    if known:
        return known[0]
    if len(alone) == 1:
        return alone[0]
    return ("", name) if alone or not prefixed else prefixed[0]


def _labels(name: str, dimensions: Sequence[Dimension]) -> Sequence[str]:
    return next(one.label_names for one in dimensions if one.name == name)
