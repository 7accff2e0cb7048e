"""How many answers Vigie and other libraries need: `python -m benchmarks.label_efficiency`.

Every trial (a case, a seed, a system) is kept in `docs/explanation/label-efficiency.json` as soon as it is done, so that a run
that was ended goes on where it stopped; `--anew` forgets what Vigie did before. The page beside it is written from the file.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import label_efficiency_page
from vigie.cli.simulate import others, ours, read
from vigie.errors import MissingExtraError
from vigie.evaluation.curves import About, Trial
from vigie.evaluation.simulate import Plan, System, replay
from vigie.evaluation.simulate_data import Held, Split, split
from vigie.labels import Dimension

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
FOLDER = ROOT / "docs" / "explanation"
SEEDS = 5
SHARE = 0.25
ALONE = ", one by one"
DIMENSIONS = {"severity": "severity", "event_type": "event_type", "category": "category"}


@dataclass(frozen=True, slots=True)
class Case:
    """A file and how it is replayed."""

    file: str
    text: str
    columns: Mapping[str, str]
    kind: str
    held: Held = Held.TEMPLATES
    once: bool = False
    budget: int = 300

    def command(self) -> str:
        """Return what a user types for it."""
        labels = " ".join(f"--label {name}={column}" for name, column in self.columns.items())
        options = (" --test messages" if self.held is Held.MESSAGES else "") + (" --once" if self.once else "")
        return (
            f"vigie simulate ../shared/data/{self.file} --text {self.text} {labels} --kind {self.kind}{options} "
            f"--budget {self.budget} --peers"
        )


CASES = {
    "logs-once": Case("logs_labelled.csv.gz", "raw", DIMENSIONS, "logs", once=True),
    "tweets": Case("airline_tweets.csv.gz", "text", {"sentiment": "airline_sentiment"}, "social"),
    "logs-stream": Case("logs_labelled.csv.gz", "raw", DIMENSIONS, "logs", Held.MESSAGES),
    "logs-new": Case("logs_labelled.csv.gz", "raw", DIMENSIONS, "logs"),
    "reasons": Case("airline_tweets.csv.gz", "text", {"reason": "negativereason"}, "social"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A trial that is done."""

    case: str
    seed: int
    about: About
    trials: Mapping[str, Trial]


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=[*CASES], default=[*CASES])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--strategy", action="append", default=[])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--peers-only", action="store_true")
    parser.add_argument("--anew", action="store_true", help="forget what Vigie did in these cases")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    chosen = parser.parse_args(arguments)
    if not DATA.is_dir():
        print(f"left out: there is no {DATA}")
        return 0
    kept = load(chosen.folder)
    if chosen.anew:
        kept = [one for one in kept if one.about.system != "vigie" or one.case not in chosen.cases]
    systems = [
        *([] if chosen.peers_only else ours(chosen.model, chosen.strategy)),
        *([] if chosen.no_peers else peers()),
    ]
    for seed in range(chosen.seeds):
        for name in chosen.cases:
            for done in missing(name, seed, systems, kept):
                kept.append(done)
                save(chosen.folder, kept)
                print(
                    f"{name}, seed {seed}: {done.about.system}, {done.about.model}, {done.about.strategy}", flush=True
                )
    save(chosen.folder, kept)
    return 0


def peers() -> list[System]:
    """Return the other libraries, none where they are not installed."""
    try:
        return others()
    except MissingExtraError as error:
        print(f"without peers: {error}")
        return []


def missing(name: str, seed: int, systems: Sequence[System], kept: Sequence[Kept]) -> Iterator[Kept]:
    """Run the systems that were not run yet on one split of a case."""
    case = CASES[name]
    done = {one.about for one in kept if (one.case, one.seed) == (name, seed)}
    left = [system for system in systems if system.about not in done]
    if not left:
        return
    messages, _ = read(DATA / case.file, case.text, case.columns, kind=case.kind, once=case.once)
    given = split(messages, np.random.default_rng([seed, 0]), held=case.held, share=SHARE)
    plan = Plan(min(case.budget, given.groups.height), held=case.held, test_share=SHARE)
    for system in left:
        if system.about.system == "vigie" and len(messages.dimensions) > 1:
            about = About("vigie", system.about.model, system.about.strategy + ALONE)
            yield Kept(name, seed, about, alone(system, given, messages.dimensions, plan, seed=seed))
        yield Kept(name, seed, system.about, replay(system, given, messages.dimensions, plan, seed=seed))


def alone(system: System, given: Split, dimensions: Sequence[Dimension], plan: Plan, *, seed: int) -> dict[str, Trial]:
    """Return what a system makes of each dimension when it is asked about no other."""
    return {
        name: trial
        for dimension in dimensions
        for name, trial in replay(system, given, [dimension], plan, seed=seed).items()
    }


def load(folder: Path) -> list[Kept]:
    """Read the trials that are done."""
    path = folder / "label-efficiency.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return [
        Kept(
            one["case"],
            one["seed"],
            About(**one["about"]),
            {
                name: Trial(**{key: _tuple(value) for key, value in trial.items()})
                for name, trial in one["trials"].items()
            },
        )
        for one in found
    ]


def save(folder: Path, kept: Sequence[Kept]) -> None:
    """Write the trials, one a line, and the page."""
    lines = ",\n".join(json.dumps(_rounded(asdict(one))) for one in kept)
    (folder / "label-efficiency.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    path = folder / "label-efficiency.md"
    text = path.read_text(encoding="utf-8") if path.exists() else label_efficiency_page.FRAME
    results = label_efficiency_page.results(CASES, kept, n_seeds=SEEDS)
    between = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)
    path.write_text(between.sub(lambda _: results, text), encoding="utf-8")


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    sys.exit(main())
