"""The strategy that the documents show how to add."""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from vigie.plugins import names
from vigie.strategies import Candidates

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "strategies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def shown() -> Any:
    package = tomllib.loads(blocks("toml")[1])
    ((name, place),) = package["project"]["entry-points"]["vigie.strategies"].items()
    (source,) = blocks("python")
    scope: dict[str, Any] = {}
    exec(compile(source, "vigie_failures_first.py", "exec"), scope)
    strategy = scope[place.partition(":")[2]]()
    assert strategy.name == name
    return strategy


def test_page_when_it_shows_a_strategy_then_it_takes_about_twenty_lines() -> None:
    (source,) = blocks("python")

    assert len([line for line in source.splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("proba", [{}, {"severity": np.full((4, 2), 0.5)}])
def test_strategy_shown_when_a_group_names_a_failure_then_it_is_asked_first(proba: dict[str, np.ndarray]) -> None:
    templates = pl.Series(["user logged in", "disk failed", "started", "stopped"])
    choices = shown().query(Candidates(templates, np.full(4, 9), proba), 3, np.random.default_rng(0))

    assert choices[0].row == 1
    assert len({choice.row for choice in choices}) == 3
    assert choices[0].reason == {"why": "uncertain", "wanted": "failures", "size": 9}


def test_page_when_it_lists_strategies_then_they_are_those_installed() -> None:
    section = PAGE.partition("## What there is")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+\.v\d+)` \|", section, flags=re.MULTILINE)

    assert sorted(listed) == names("strategies")


def test_page_when_it_shows_settings_then_they_name_an_installed_strategy() -> None:
    settings = tomllib.loads(blocks("toml")[0])

    assert settings["learning"]["strategy"] in names("strategies")
    assert settings["dimensions"][0]["weight"] == 2
