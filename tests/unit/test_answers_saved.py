import json
from pathlib import Path

import pytest
from benchmarks import answers_saved
from benchmarks.answers_saved import Judged, main
from benchmarks.label_efficiency import Case

from simulate_fakes import rows


def judged(needed: float | None, low: float = 90.0, high: float | None = 200.0) -> Judged:
    return Judged("logs", "linear.v1", 0, 100, needed, 300, 130.0 if high else None, low, high)


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (judged(100.0), True),
        (judged(80.0), False),
        (judged(201.0), False),
        (judged(None), False),
        (judged(None, high=300.0), True),
        (judged(None, high=None), True),
        (judged(201.0, high=None), True),
        (judged(80.0, high=None), False),
    ],
)
def test_holds_when_the_truth_is_inside_or_was_not_reached_then_it_does(one: Judged, *, holds: bool) -> None:
    assert one.holds is holds


def test_main_when_there_is_no_data_then_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(answers_saved, "DATA", tmp_path / "none")

    assert main([]) == 0
    assert "left out" in capsys.readouterr().out


@pytest.mark.parametrize("exact", [[], ["--exact"]])
def test_main_when_a_file_is_replayed_then_estimate_and_truth_stand_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], exact: list[str]
) -> None:
    rows(200).write_csv(tmp_path / "file.csv")
    monkeypatch.setattr(answers_saved, "DATA", tmp_path)
    monkeypatch.setitem(answers_saved.SAVED_CASES, "severity", Case("file.csv", "text", {"mood": "mood"}, "social"))

    main(["--cases", "severity", "--answers", "20", "30", "--draws", "2", "--json", *exact])

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["n_answers"] for one in found] == [20, 30]
    assert all(one["needed"] is None or one["needed"] > 0 for one in found)
    assert all(one["low"] >= 0 for one in found)
