"""Plain HTML elements, with classes and attributes of our own instead of Quasar's."""

from typing import Any

from nicegui.elements.mixins.text_element import TextElement


class Tag(TextElement):
    """One HTML element.

    Parameters
    ----------
    name
        Such as ``p`` or ``section``.
    classes
        Separated by spaces.
    text
        Its text; never taken for markup.
    attributes
        Further HTML attributes; an underscore stands for a hyphen.
    """

    def __init__(self, name: str, classes: str = "", *, text: str = "", **attributes: Any) -> None:
        super().__init__(tag=name, text=text)
        self.classes(classes)
        self.set(**attributes)

    def set(self, **attributes: Any) -> None:
        """Set attributes, and take away those that are None."""
        for name, value in attributes.items():
            key = name.strip("_").replace("_", "-")
            if value is None:
                self._props.pop(key, None)
            else:
                self._props[key] = value
        self.update()


def button(text: str, classes: str = "", **attributes: Any) -> Tag:
    """Return a button of ours."""
    return Tag("button", classes, text=text, type="button", **attributes)
