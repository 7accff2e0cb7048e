"""How soon an answer makes a better model, and how soon a million groups are ranked anew: `python -m benchmarks.pace`.

1. *training*: 5,000 answers in three dimensions and 100,000 groups; ten more answers come, and a real learner trains, measures,
   logs to MLflow, passes the gate, and ranks. Seconds by step (to the champion: until its alias has moved), of this process and of
   the clock; and, as a yardstick, of scikit-learn's `LogisticRegression` fitted to the same rows of features in each dimension,
   without any of the rest.
2. *ranking*: the same with 1,000,000 groups.
3. *many*: nearly 20,000 answers (the tweets of both files), the quality of a model that began where the one before ended against one
   fitted anew.
4. *page*: from key press to next message in Chromium while 1 runs again and again in another process.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks import crowd
from vigie.classifiers import Classifier
from vigie.classifiers.hybrid import HybridClassifier
from vigie.classifiers.linear import LinearClassifier
from vigie.features.tfidf import HashedTfidf
from vigie.labels import Dimension, Label
from vigie.learner import Learner, Plan
from vigie.learner.answers import Answers
from vigie.learner.training import DataSet
from vigie.registry import Registry
from vigie.store import Store
from vigie.strategies.diversity import ClusterMargin
from vigie.text import normaliser

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
MAKERS = {"linear.v1": LinearClassifier, "hybrid.v1": HybridClassifier}


class Moment(NamedTuple):
    """Where the clocks stand."""

    wall: float
    cpu: float
    waited: float

    @classmethod
    def now(cls) -> Self:
        """Look at them; what a thread waited for a processor only Linux tells."""
        schedule = Path("/proc/thread-self/schedstat")
        waited = int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0.0
        return cls(time.perf_counter(), time.process_time(), waited)


@dataclass
class Watch:
    """Seconds by step: of the clock, of this process, and of the clock less what this thread waited for a processor."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    alone: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def on(self, step: str) -> Iterator[None]:
        """Note how long something takes."""
        began = Moment.now()
        yield
        self.note(step, began, Moment.now())

    def note(self, step: str, began: "Moment", ended: "Moment") -> None:
        """Note how long something took."""
        wall = ended.wall - began.wall
        self.wall.setdefault(step, []).append(wall)
        self.cpu.setdefault(step, []).append(ended.cpu - began.cpu)
        self.alone.setdefault(step, []).append(wall - (ended.waited - began.waited))

    def found(self) -> dict[str, dict[str, float]]:
        """Return medians and 95th percentiles."""
        return {
            step: {
                "p50_seconds": round(statistics.median(self.wall[step]), 2),
                "p95_seconds": round(float(np.percentile(self.wall[step], 95)), 2),
                "p50_cpu_seconds": round(statistics.median(self.cpu[step]), 2),
                "p50_alone_seconds": round(statistics.median(self.alone[step]), 2),
                "least_seconds": round(min(self.wall[step]), 2),
            }
            for step in self.wall
        }


class NotingRegistry(Registry):
    """A registry that notes when the champion moved: from then on workers and pages find and load it."""

    moved_at = Moment(0.0, 0.0, 0.0)

    def _set_alias(self, alias: str, version: str) -> None:
        super()._set_alias(alias, version)
        self.moved_at = Moment.now()


class Scene:
    """A store with a crowd of groups and a learner over it, whose steps are called one by one."""

    def __init__(self, folder: Path, *, groups: int, answers: int, classifier: str) -> None:
        self.folder = folder
        self.kinds = crowd.kinds(groups)
        file = folder / "vigie.db"
        self.store = Store.open(f"sqlite:///{file}", max_groups=2 * groups)
        known = crowd.fill(file, self.kinds)
        crowd.annotate(self.store, known.head(20 * answers).gather_every(20).head(answers))
        self._truth = dict(zip(known["group_id"], known.select(crowd.DIMENSIONS).iter_rows(), strict=True))
        self.dimensions = [
            Dimension(name, tuple(map(Label, self.kinds[name].unique().sort().to_list()))) for name in crowd.DIMENSIONS
        ]
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.registry = NotingRegistry(uri, "pace", artifact_root=folder / "artefacts", cache=folder / "cache")
        self.registry.prepare()
        self.learner = Learner(
            self.store,
            self.registry,
            dimensions=lambda: self.dimensions,
            classifier=MAKERS[classifier],
            strategy=ClusterMargin(),
            text="logs",
            plan=Plan(retrain_after_answers=10),
        )

    def answer(self, n: int = 10) -> None:
        """Answer questions rightly."""
        for one in self.store.questions.lease("ann", n, 600):
            labels = dict(zip(crowd.DIMENSIONS, self._truth[one.group_id], strict=True))
            self.store.questions.answer(one.id, "ann", labels)

    def step(self, watch: Watch) -> None:
        """Let the learner do what is due, and note how long each part takes."""
        learner: Any = self.learner
        with watch.on("encoding"):
            while learner._embedding.comes_first(self.dimensions):  # noqa: SLF001 — `step` does a slice each time
                learner._embed_some()  # noqa: SLF001 — likewise
        began = Moment.now()
        with watch.on("answer_to_end_of_training"):
            learner._look()  # noqa: SLF001 — likewise, and it would hide which part took how long
            learner._train_if_due()  # noqa: SLF001 — likewise
        watch.note("answer_to_champion", began, self.registry.moved_at)
        with watch.on("ranking"):
            learner._ask_if_due()  # noqa: SLF001 — likewise


def training(folder: Path, *, groups: int, answers: int, classifier: str, repeats: int) -> dict[str, Any]:
    """Measure trainings and rankings; the first ones, which read everything, apart."""
    scene = Scene(folder, groups=groups, answers=answers, classifier=classifier)
    first, watch, reference = Watch(), Watch(), Watch()
    scene.step(first)
    for _ in range(repeats):
        scene.answer()
        scene.step(watch)
    answered = Answers.of(scene.store.annotations.effective(), scene.dimensions)
    data = DataSet.of(answered, scene.dimensions)
    with reference.on("scikit_learn_fit_alone"):
        rows = HashedTfidf().fit_transform(data.texts)
        for name in crowd.DIMENSIONS:
            LogisticRegression(C=30, class_weight="balanced", max_iter=100).fit(rows, data.labels[name].to_numpy())
    found = watch.found()
    alone = reference.found()
    ratio = found["answer_to_champion"]["p50_cpu_seconds"] / alone["scikit_learn_fit_alone"]["p50_cpu_seconds"]
    return {
        "groups": groups,
        "answers": len(data),
        "classifier": classifier,
        "first_time": first.found(),
        **found,
        **alone,
        "whole_training_to_scikit_learn_fit_alone": round(ratio, 3),
    }


def many(*, classifier: str) -> dict[str, Any]:
    """Compare what begins where the one before ended with what is fitted anew, with nearly 20,000 answers."""
    rows = tweets()
    if rows is None:
        return {"skipped": f"there is no {DATA}"}
    texts, sentiment = rows
    held = np.arange(len(texts)) % 50 == 0
    dimension = Dimension("sentiment", tuple(map(Label, sentiment.unique().sort().to_list())))
    labels = pl.DataFrame({"sentiment": sentiment})
    train = np.flatnonzero(~held)
    make: Callable[..., Classifier] = MAKERS[classifier]
    watch = Watch()
    model: Any = make([dimension]).fit(texts.gather(train[:-50]), labels[train[:-50]])
    for end in range(len(train) - 40, len(train) + 1, 10):
        with watch.on("continued"):
            model = model.continued(texts.gather(train[:end]), labels[train[:end]])
    with watch.on("anew"):
        anew = make([dimension]).fit(texts.gather(train), labels[train])
    said = [one.predict_proba(texts.filter(held))["sentiment"] for one in (model, anew)]
    names = np.array(dimension.label_names)
    scores = [f1_score(sentiment.filter(held), names[one.argmax(axis=1)], average="macro") for one in said]
    return {
        "classifier": classifier,
        "answers": len(train),
        "held_out": int(held.sum()),
        **watch.found(),
        "macro_f1_continued": round(float(scores[0]), 4),
        "macro_f1_anew": round(float(scores[1]), 4),
        "mean_difference_of_probabilities": round(float(np.abs(said[0] - said[1]).mean()), 5),
    }


def tweets() -> tuple[pl.Series, pl.Series] | None:
    """Return normalised tweets of both files, each once, mixed, and their sentiment; None when they are not there."""
    files = [DATA / name for name in ("airline_tweets.csv.gz", "sentiment140_sample.csv.gz")]
    if not all(file.exists() for file in files):
        return None
    airline, general = (pl.read_csv(file, infer_schema_length=0) for file in files)
    both = pl.concat(
        [
            airline.select("text", sentiment="airline_sentiment"),
            general.select("text", "sentiment"),
        ]
    )
    both = both.with_columns(text=normaliser("social").normalise(both["text"])).drop_nulls()
    both = both.unique("text", maintain_order=True).sample(fraction=1, shuffle=True, seed=0)
    return both["text"], both["sentiment"]


def page(folder: Path, *, answers: int, groups: int, n_annotated: int, classifier: str) -> dict[str, Any]:
    """Answer questions of the demo by keyboard while another process trains and ranks without a pause."""
    from demo_run import STOPWATCH, answer, open_page, question, running_demo  # noqa: PLC0415 — needs a browser

    busy = multiprocessing.get_context("spawn").Process(
        target=_train_on, args=(folder / "busy", groups, n_annotated, classifier), daemon=True
    )
    (folder / "busy").mkdir()
    busy.start()
    try:
        while not (folder / "busy" / "ready").exists():
            time.sleep(0.5)
        with running_demo(folder / "project") as url, open_page(url) as browser:
            question(browser)
            browser.evaluate(STOPWATCH)
            for _ in range(answers):
                answer(browser)
            times = np.array(browser.evaluate("window.times"))
    finally:
        busy.kill()
        busy.join()
    p50, p95 = np.percentile(times, [50, 95])
    return {"answers": len(times), "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "max_ms": round(times.max(), 1)}


def _train_on(folder: Path, groups: int, answers: int, classifier: str) -> None:
    os.nice(10)  # as `vigie learner` does
    scene = Scene(folder, groups=groups, answers=answers, classifier=classifier)
    scene.step(Watch())
    (folder / "ready").touch()
    while True:
        scene.answer()
        scene.step(Watch())


def machine() -> dict[str, Any]:
    """Say where this ran, and how busy it was besides."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure the parts asked for and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ("training", "ranking", "many", "page")
    parser.add_argument("parts", nargs="*", default=parts, help="training, ranking, many, page; all when left out")
    parser.add_argument("--classifier", choices=MAKERS, default="linear.v1")
    parser.add_argument("--answers", type=int, default=5_000)
    parser.add_argument("--groups", type=int, default=100_000)
    parser.add_argument("--most-groups", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--keys", type=int, default=60, help="questions answered on the page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    size = {"answers": chosen.answers, "classifier": chosen.classifier}
    work: dict[str, Callable[[Path], dict[str, Any]]] = {
        "training": lambda folder: training(folder, groups=chosen.groups, repeats=chosen.repeats, **size),
        "ranking": lambda folder: training(folder, groups=chosen.most_groups, repeats=min(chosen.repeats, 3), **size),
        "many": lambda _folder: many(classifier=chosen.classifier),
        "page": lambda folder: page(
            folder, answers=chosen.keys, groups=chosen.groups, n_annotated=chosen.answers, classifier=chosen.classifier
        ),
    }
    found: dict[str, Any] = {"machine": machine()}
    for part in chosen.parts:
        with tempfile.TemporaryDirectory() as folder:
            found[part] = work[part](Path(folder))
            print(json.dumps({part: found[part]}), file=sys.stderr, flush=True)
    found["machine"]["load_after"] = [round(one, 1) for one in os.getloadavg()]
    print(json.dumps(found, indent=None if chosen.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
