"""The project's questions and labels, as other tools want to be told them before they take its messages."""

import json
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from vigie.exchange.questions import joined
from vigie.labels import Dimension

_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


def label_studio(dimensions: Sequence[Dimension]) -> str:
    """Return a labelling configuration: one `Choices` a dimension, guidelines as hints."""
    lines = ["<View>", '  <Text name="text" value="$text"/>']
    for one in dimensions:
        lines.append(f"  <Header value={quoteattr(one.question or one.name)}/>")
        lines.append(f'  <Choices name={quoteattr(one.name)} toName="text" choice="single">')
        for label in one.labels:
            hint = f" hint={quoteattr(label.guideline)}" if label.guideline else ""
            lines.append(f"    <Choice value={quoteattr(label.name)}{hint}/>")
        lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])


def doccano(dimensions: Sequence[Dimension]) -> str:
    """Return a list of labels for a project of text classification, each dimension in a colour of its own."""
    labels = [
        {
            "text": joined(one.name, label, dimensions),
            "prefix_key": None,
            "suffix_key": None,
            "background_color": _COLOURS[n % len(_COLOURS)],
            "text_color": "#ffffff",
        }
        for n, one in enumerate(dimensions)
        for label in one.label_names
    ]
    return _json(labels)


def argilla(dimensions: Sequence[Dimension]) -> str:
    """Return settings of a dataset: one label question a dimension, of which Argilla wants one to be required."""
    questions = [
        {
            "name": one.name,
            "title": one.question or one.name,
            "required": n == 0,
            "settings": {
                "type": "label_selection",
                "options": [
                    {"value": label.name, "text": label.name, "description": label.guideline or None}
                    for label in one.labels
                ],
            },
        }
        for n, one in enumerate(dimensions)
    ]
    field = {"name": "text", "title": "text", "required": True, "settings": {"type": "text", "use_markdown": False}}
    empty: list[object] = []
    others = {"guidelines": None, "vectors": empty, "metadata": empty, "allow_extra_metadata": True}
    return _json({"fields": [field], "questions": questions, **others})


TEMPLATES: Mapping[str, Callable[[Sequence[Dimension]], str]] = {
    "label_studio": label_studio,
    "doccano": doccano,
    "argilla": argilla,
}
"""By the name of the format; the others need none."""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
