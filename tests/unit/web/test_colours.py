import re

import pytest

from vigie.web.figures import COLOURS, ROUTE_COLOURS
from vigie.web.frame import STATIC

THEME = (STATIC / "theme.css").read_text(encoding="utf-8")
TEXT = [(ink, ground) for ink in ("ink", "muted") for ground in ("paper", "surface", "sunken")] + [
    ("ink", "accent-soft"),
    ("muted", "accent-soft"),
    ("accent", "paper"),
    ("accent", "surface"),
    ("accent-ink", "accent"),
    ("ink", "raised"),
    ("ink", "varies"),
    ("ink", "problem-soft"),
    ("problem", "paper"),
    ("paper", "problem"),
]
SHAPES = [("line-strong", "paper"), ("line-strong", "surface"), ("accent", "surface"), ("varies-line", "surface")]


def palettes() -> list[dict[str, str]]:
    """Return the light colours and the dark ones."""
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", THEME)
    return [{name: (light, dark)[mode] for name, light, dark in pairs} for mode in (0, 1)]


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_theme_when_text_stands_on_a_ground_then_it_reaches_aa(mode: int, ink: str, ground: str) -> None:
    palette = palettes()[mode]

    assert contrast(palette[ink], palette[ground]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize(("shape", "ground"), SHAPES)
def test_theme_when_a_shape_carries_meaning_then_it_can_be_seen(mode: int, shape: str, ground: str) -> None:
    palette = palettes()[mode]

    assert contrast(palette[shape], palette[ground]) >= 3


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("colour", sorted({*COLOURS, *ROUTE_COLOURS.values()}))
def test_charts_when_drawn_on_either_ground_then_their_colours_can_be_seen(mode: int, colour: str) -> None:
    assert contrast(colour, palettes()[mode]["surface"]) >= 3
