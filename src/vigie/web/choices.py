"""A row of labels of which one can be chosen."""

from collections.abc import Mapping

from vigie.labels import Dimension
from vigie.web.elements import Tag, button


def build_choice(
    dimension: Dimension, chosen: str | None, *, heading: str = "h2", keys: Mapping[str, str] | None = None
) -> dict[str, Tag]:
    """Build a heading and one button per label; return the buttons by label.

    Parameters
    ----------
    dimension
        What is asked.
    chosen
        The label that is chosen already.
    heading
        The element for the dimension's name.
    keys
        Which keys choose which labels, shown on the buttons.
    """
    buttons = {}
    with Tag("div", "dimension", role="radiogroup", aria_label=dimension.name):
        with Tag("div", "dimension-head"):
            Tag(heading, text=dimension.name)
            Tag("span", "dimension-question", text=dimension.question)
        with Tag("div", "labels"):
            for label in dimension.labels:
                key = (keys or {}).get(label.name)
                one = button("", "label", role="radio", title=label.guideline, data_key=key, data_label=label.name)
                with one:
                    if key:
                        Tag("kbd", text=key, aria_hidden="true")
                    Tag("span", text=label.name)
                buttons[label.name] = one
    press(buttons, chosen)
    return buttons


def press(buttons: Mapping[str, Tag], chosen: str | None) -> None:
    """Show one button of a row as pressed, and the others as not; Tab reaches it, or the first where none is pressed."""
    reached = chosen if chosen in buttons else next(iter(buttons), None)
    for name, one in buttons.items():
        one.set(aria_checked=str(name == chosen).lower(), tabindex="0" if name == reached else "-1")
