import json
from xml.etree import ElementTree as ET

import pytest

from builders import a_dimension
from vigie.exchange.templates import TEMPLATES
from vigie.labels import Dimension, Label

AWKWARD = 'a "b" & <c> é\n😀'
DIMENSIONS = [a_dimension(), Dimension("kind", (Label(AWKWARD), Label("net", AWKWARD)), question=AWKWARD)]


def test_label_studio_when_labels_are_awkward_then_the_configuration_says_them_all() -> None:
    view = ET.fromstring(TEMPLATES["label_studio"](DIMENSIONS))

    text = view.find("Text")
    assert text is not None
    assert text.attrib == {"name": "text", "value": "$text"}
    choices = {one.get("name"): [choice.attrib for choice in one] for one in view.findall("Choices")}
    assert list(choices) == ["severity", "kind"]
    assert choices["severity"][0] == {"value": "info", "hint": "When it is info."}
    assert choices["kind"] == [{"value": AWKWARD}, {"value": "net", "hint": AWKWARD}]
    assert {(one.get("toName"), one.get("choice")) for one in view.findall("Choices")} == {("text", "single")}
    assert [one.get("value") for one in view.findall("Header")] == ["severity", AWKWARD]


@pytest.mark.parametrize(
    ("dimensions", "names"),
    [(DIMENSIONS[:1], ["info", "warning", "error"]), (DIMENSIONS[1:], [AWKWARD, "net"])],
)
def test_doccano_when_there_is_one_dimension_then_its_labels_stand_alone(
    dimensions: list[Dimension], names: list[str]
) -> None:
    assert [one["text"] for one in json.loads(TEMPLATES["doccano"](dimensions))] == names


def test_doccano_when_there_are_several_dimensions_then_each_has_its_colour() -> None:
    labels = json.loads(TEMPLATES["doccano"](DIMENSIONS))

    assert [one["text"] for one in labels][-2:] == [f"kind:{AWKWARD}", "kind:net"]
    colours = {one["text"].split(":")[0]: one["background_color"] for one in labels}
    assert len(set(colours.values())) == 2


def test_argilla_when_there_are_several_dimensions_then_one_question_is_required() -> None:
    settings = json.loads(TEMPLATES["argilla"](DIMENSIONS))

    assert [(one["name"], one["required"]) for one in settings["questions"]] == [("severity", True), ("kind", False)]
    options = settings["questions"][0]["settings"]["options"]
    assert options[0] == {"value": "info", "text": "info", "description": "When it is info."}
    assert [one["name"] for one in settings["fields"]] == ["text"]
    assert settings["allow_extra_metadata"] is True
