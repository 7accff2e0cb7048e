"""What splits cost the stream: `python -m benchmarks.splits`.

Batches of log lines go through the labeller of one model version, again and again in turns:

- with no splits;
- with ten splits of templates that do not occur;
- with ten splits, one of which is the template of a quarter of the lines, or of all of them.

The figure is processor time of all threads per message, median over the rounds, and as a ratio to no splits; the processor may
have other things to do.

And how often the right slot is shown: formats with a code among numbers, times and addresses that vary, five messages kept of each,
a few answers that go by the code, or by nothing that can be seen. Compared with simpler rules:

- first: the first slot that separates the answers;
- answers: the separating slot with the fewest values among the messages answered about;
- kept: the one with the fewest values among these and the messages kept, however seldom they repeat;
- guard: what Vigie does.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from benchmarks.stream import log_lines
from benchmarks.whole_way import DATA
from vigie.classifiers.artefact import Artefact
from vigie.classifiers.linear import LinearClassifier
from vigie.labels import Dimension, Label
from vigie.learner.splitting import Family, Said, split
from vigie.rules import Rules
from vigie.stream.labeller import Labeller
from vigie.stream.routing import Policy
from vigie.text import Normaliser, normaliser
from vigie.text.refining import Refinement, placeholders, values

ACCESS = "<ip> GET <path> took <duration> <num>"
OTHERS = {f"unit {chr(97 + n)} ended <num> after <num>": (0,) for n in range(10)}
WITH_ACCESS = {**dict(list(OTHERS.items())[:9]), ACCESS: (3,)}
SEVERITY = Dimension("severity", (Label("info"), Label("error")))
BATCH = 20_000


def main(arguments: list[str] | None = None) -> int:
    """Run it and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="of the labeller")
    parser.add_argument("--trials", type=int, default=300, help="of the choice of slots")
    chosen = parser.parse_args(arguments)
    if not DATA.exists():
        print(f"skipped: there is no {DATA}")
        return 0
    rng = random.Random(0)
    lines, access = log_lines(BATCH).texts, [access_line(rng) for _ in range(BATCH)]
    quarter = [access[n] if n % 4 == 0 else line for n, line in enumerate(lines)]
    cases = {
        "log lines, none of them split": measure(lines, OTHERS, chosen.rounds),
        "a quarter of the lines split": measure(quarter, WITH_ACCESS, chosen.rounds),
        "all lines split": measure(access, WITH_ACCESS, chosen.rounds),
    }
    choices = {f"{n} answers": choose(n, chosen.trials) for n in (2, 3, 5)}
    print(json.dumps({"labeller": cases, "choices": choices}, indent=2))
    return 0


def access_line(rng: random.Random) -> str:
    """Return a line of an access log whose status is masked."""
    address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
    status = rng.choice([200, 200, 200, 304, 404, 500])
    return f"{address} GET /a/{rng.randrange(10**6)} took {rng.randrange(2000)} ms {status}"


@dataclass(frozen=True)
class Format:
    """A kind of line, what its codes are, and how often each comes."""

    line: str
    codes: tuple[str, ...]
    weights: tuple[int, ...]
    slot: int

    def one(self, rng: random.Random, code: str | None = None) -> tuple[str, str]:
        """Return a line and its code."""
        code = code or rng.choices(self.codes, self.weights)[0]
        ip = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
        time_ = f"2026-11-27 {rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
        numbers = {"ms": rng.randrange(1, 900), "few": rng.randrange(1, 30), "id": rng.randrange(10**5)}
        return self.line.format(code=code, ip=ip, time=time_, **numbers), code


FORMATS = (
    Format("{ip} GET /a/{id} took {ms} ms {code}", ("200", "404", "500"), (80, 10, 10), 3),
    Format("{time} job {id} finished with {code} after {ms} ms", ("0", "1", "137"), (80, 15, 5), 2),
    Format("{time} worker {few} of queue {few} left {code} after {few} tries", ("0", "1"), (70, 30), 3),
    Format("gateway {ip} replied {code} for request {id} of {ms}", ("200", "301", "404", "503"), (70, 10, 10, 10), 1),
)


def choose(n_answers: int, trials: int) -> dict[str, dict[str, float]]:
    """Return by rule how often it shows the code where answers go by it, and nothing where they do not."""
    text = normaliser("logs")
    rules: dict[str, Callable[[Family], tuple[int, ...]]] = {
        "first": lambda family: first(family, text),
        "answers": lambda family: fewest(replace(family, known=answered(family)), text),
        "kept": lambda family: fewest(family, text),
        "guard": lambda family: split(family, text),
    }
    rng = random.Random(n_answers)
    found = dict.fromkeys(rules, (0, 0, 0))
    for trial in range(trials):
        kind = FORMATS[trial % len(FORMATS)]
        by_code, by_nothing = a_family(kind, n_answers, rng), a_family(kind, n_answers, rng, code=kind.codes[0])
        for name, rule in rules.items():
            right, other, quiet = found[name]
            slots = rule(by_code)
            found[name] = (
                right + (slots == (kind.slot,)),
                other + (slots not in {(), (kind.slot,)}),
                quiet + (not rule(by_nothing)),
            )
    names = ("code shown", "another slot shown", "nothing shown where labels go by nothing")
    return {
        rule: {name: round(n / trials, 3) for name, n in zip(names, counts, strict=True)}
        for rule, counts in found.items()
    }


def a_family(kind: Format, n_answers: int, rng: random.Random, code: str = "") -> Family:
    """Return answers that contradict each other and five messages kept; all answers are about one code, if given."""
    codes = (
        [code] * n_answers
        if code
        else [kind.codes[0], kind.codes[-1], *rng.choices(kind.codes, kind.weights, k=n_answers - 2)]
    )
    lines = [kind.one(rng, one) for one in codes]
    labels = ["info" if found == kind.codes[0] else "error" for _, found in lines]
    if code:
        labels = ["error", *["info"] * (n_answers - 1)]
    said = [Said(line, "severity", label) for (line, _), label in zip(lines, labels, strict=True)]
    kept = [kind.one(rng)[0] for _ in range(5)]
    template = normaliser("logs").normalise(pl.Series([said[0][0]]))[0]
    return Family(template, said, sorted({line for line, *_ in said} | set(kept)))


def answered(family: Family) -> list[str]:
    """Return the messages that people answered about."""
    return sorted({message for message, *_ in family.said})


def columns(family: Family, text: Normaliser) -> Iterator[tuple[int, int]]:
    """Return the slots that separate the labels, and how many values each has."""
    label = {message: given for message, _, given, *_ in family.said}
    slots = list(range(len(placeholders(family.template))))
    for slot, column in zip(slots, values(text.unmasked(pl.Series(family.known)), family.template, slots), strict=True):
        pairs = {
            (value, label[message]) for message, value in zip(family.known, column, strict=True) if message in label
        }
        if len({value for value, _ in pairs}) == len(pairs):
            yield slot, column.n_unique()


def first(family: Family, text: Normaliser) -> tuple[int, ...]:
    """Return the first slot that separates the labels."""
    return tuple(slot for slot, _ in columns(family, text))[:1]


def fewest(family: Family, text: Normaliser) -> tuple[int, ...]:
    """Return the separating slot with the fewest values."""
    found = sorted((n, slot) for slot, n in columns(family, text))
    return (found[0][1],) if found else ()


def measure(texts: Sequence[str], splits: Mapping[str, Sequence[int]], rounds: int) -> dict[str, float]:
    """Return processor microseconds per message without and with splits, and how many times as many."""
    batch = pl.DataFrame({"text": texts})
    labellers = {"without": a_labeller({}), "with": a_labeller(splits)}
    taken: dict[str, list[float]] = {name: [] for name in labellers}
    for attempt in range(rounds + 1):
        for name, labeller in labellers.items():
            began = time.process_time()
            labeller.label(batch)
            if attempt:  # the first round fills the caches
                taken[name].append((time.process_time() - began) / len(texts) * 1e6)
    found = {f"{name}_us": round(statistics.median(times), 3) for name, times in taken.items()}
    return {**found, "ratio": round(found["with_us"] / found["without_us"], 3)}


def a_labeller(splits: Mapping[str, Sequence[int]]) -> Labeller:
    """Return a labeller with a model version that has these splits."""
    text = normaliser("logs")
    policy = Policy((SEVERITY,), Rules.empty((SEVERITY,)))
    labeller = Labeller(policy, normalise=text.normalise, refining=lambda some: Refinement(text, some).templates)
    labels = pl.DataFrame({"severity": ["info", "error"]})
    classifier = LinearClassifier((SEVERITY,)).fit(pl.Series(["disk ok", "disk failed"]), labels)
    labeller.use(model=Artefact(classifier, (SEVERITY,), "logs", splits=splits))
    return labeller


if __name__ == "__main__":
    raise SystemExit(main())
