import json

import pytest
from benchmarks import label_efficiency
from benchmarks.label_efficiency import CASES, Kept, load, missing, save
from benchmarks.label_efficiency_page import results

from simulate_fakes import Oracle, rows
from vigie.evaluation.curves import About, Trial

OURS, THEIRS = About("vigie", "linear.v1", "margin.v1"), About("modAL", "forest", "margin", is_linear=False)


def kept(seed: int, about: About, *scores: float, dimension: str = "sentiment") -> Kept:
    trial = Trial((50, 100), scores, 0.8, (0.1, 0.30004))
    return Kept("tweets", seed, about, {dimension: trial})


DONE = [
    *(kept(seed, OURS, 0.4 + seed / 100, 0.75) for seed in range(2)),
    *(kept(seed, THEIRS, 0.6 + seed / 100, 0.7) for seed in range(5)),
]


def test_results_when_systems_have_different_seeds_then_those_they_share_are_compared() -> None:
    text = results(CASES, DONE, n_seeds=5)

    assert "\n2 seeds of 5: **unfinished**.\n" in text
    assert "| vigie: linear.v1, margin.v1 | 0.41 ±0.06 | 0.75 ±0.00 | 0.80 | 100 | - | - | 0.20 |" in text
    assert "| modAL: forest, margin | 0.60 ±0.06 | 0.70 ±0.00 | 0.80 | - | - | - | 0.20 |" in text
    assert "Not run yet: logs-once, logs-stream, logs-new, reasons." in text
    assert "\n2 seeds.\n" in results(CASES, DONE, n_seeds=2)


def test_results_when_no_seed_is_shared_then_says_so() -> None:
    text = results(CASES, [DONE[0], DONE[-1]], n_seeds=5)

    assert "No seed has every system yet." in text
    assert "| vigie" not in text


def test_results_when_a_peer_is_above_beyond_noise_then_says_where_and_by_how_much() -> None:
    lines = results(CASES, DONE, n_seeds=5).splitlines()

    assert "- vigie: linear.v1, margin.v1: at 50 below modAL: forest, margin by 0.20 ±0.00" in lines
    assert not any("at 100 below" in line for line in lines)
    assert "- vigie: linear.v1, margin.v1: to 90 % in 100; no peer in 100" in lines


def test_results_when_both_reach_it_then_says_the_ratio() -> None:
    early = [kept(seed, THEIRS, 0.73, 0.75) for seed in range(5)]

    assert "to 90 % in 100; the best peer 50, 2.00 times as many" in results(CASES, [*DONE[:2], *early], n_seeds=5)


def test_results_when_the_names_of_labels_were_enough_then_says_none_was_needed() -> None:
    trial = Trial((0, 50, 100), (0.75, 0.76, 0.77), 0.8, (0.1, 0.3))
    at_once = [Kept("tweets", seed, OURS, {"sentiment": trial}) for seed in range(2)]
    late = [kept(seed, THEIRS, 0.3, 0.75) for seed in range(2)]

    assert "to 90 % in 0; the best peer 100, 0.00 times as many" in results(CASES, [*at_once, *late], n_seeds=2)


def test_load_when_saved_then_the_same_and_the_text_around_the_figures_stays(tmp_path) -> None:
    (tmp_path / "label-efficiency.md").write_text("above\n<!-- figures -->\nold\n<!-- end of figures -->\nbelow\n")

    save(tmp_path, DONE)

    text = (tmp_path / "label-efficiency.md").read_text(encoding="utf-8")
    assert text.startswith("above\n")
    assert text.endswith("<!-- end of figures -->\nbelow\n")
    assert "old" not in text
    assert "### tweets" in text
    assert load(tmp_path)[0].about == OURS
    assert load(tmp_path)[0].trials["sentiment"].seconds == (0.1, 0.3)
    assert json.loads((tmp_path / "label-efficiency.json").read_text())[0]["case"] == "tweets"


def test_load_when_nothing_was_done_then_nothing(tmp_path) -> None:
    assert load(tmp_path) == []


@pytest.mark.parametrize("name", ["tweets"])
def test_missing_when_a_system_was_run_on_a_seed_then_only_the_others_are(name, tmp_path, monkeypatch) -> None:
    rows(90).rename({"mood": "airline_sentiment"}).write_csv(tmp_path / "airline_tweets.csv")
    monkeypatch.setattr(label_efficiency, "DATA", tmp_path)
    monkeypatch.setitem(
        CASES, name, label_efficiency.Case("airline_tweets.csv", "text", {"sentiment": "airline_sentiment"}, "social")
    )
    first, second = Oracle(name="first"), Oracle(name="second")
    done = [Kept(name, 0, first.about, {})]

    found = list(missing(name, 0, [first, second], done))

    assert [one.about.model for one in found] == ["second"]
    assert found[0].trials["sentiment"].answers[-1] == 60
    assert list(missing(name, 0, [first], done)) == []
