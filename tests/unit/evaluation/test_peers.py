import builtins
import importlib.util
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import simulate_fakes
from vigie.errors import MissingExtraError, SettingsError
from vigie.evaluation import peers
from vigie.evaluation.curves import About
from vigie.evaluation.peers import installed
from vigie.evaluation.peers.system import PeerSystem, Workshop
from vigie.evaluation.simulate import Plan, simulate
from vigie.evaluation.simulate_data import Held, split

PLAN = Plan(budget=40, batch=10, n_seeds=1, held=Held.TEMPLATES, test_share=0.3)
MISSING = [name for name in ("modAL", "skactiveml", "small_text") if importlib.util.find_spec(name) is None]
quiet = pytest.mark.filterwarnings("ignore")  # theirs
needs_peers = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


class InOrder:
    """A peer that asks in the order of the pool and says what it heard last."""

    about = About("fake", "echo", "in order")
    features = "tfidf"

    def __init__(self, features="tfidf"):
        self.features = features
        self.n_fits = 0
        self.pools = []

    def estimator(self, seed):
        self.n_fits += 1
        return self

    def fit(self, features, labels):
        self.labels = labels
        return self

    def predict(self, features):
        return np.full(features.shape[0], self.labels[-1])

    def start(self, pool, n_labels, seed):
        self.pools.append((pool, n_labels, seed))
        return _InOrder()


class _InOrder:
    def __init__(self):
        self.asked = 0
        self.heard = np.zeros(1, dtype=np.int64)

    def ask(self, n):
        self.asked += n
        return np.arange(self.asked - n, self.asked)

    def learn(self, rows, labels):
        self.heard = labels

    def predict(self, features):
        return np.full(features.shape[0], self.heard[-1])


def a_split(messages):
    return split(messages, np.random.default_rng(0), held=Held.TEMPLATES, share=0.3)


def encode(texts):
    rng = np.random.default_rng(len(texts))
    moods = [["great", "lovely", "thanks", "smooth"], ["late", "lost", "rude", "broken"]]
    known = [[any(word in text for word in words) for words in moods] for text in texts]
    rows = np.concatenate([np.array(known, dtype=np.float64), rng.normal(0, 0.05, (len(texts), 6))], axis=1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def curves():
    workshop = Workshop(encode)
    systems = [PeerSystem(peer, workshop) for peer in installed()]
    return simulate(simulate_fakes.messages(200, dimensions=("mood",)), systems, PLAN)


@needs_peers
def test_installed_when_all_libraries_are_there_then_every_peer() -> None:
    names = [(peer.about.system, peer.about.strategy, peer.features) for peer in installed()]

    assert names == [
        ("modAL", "margin", "tfidf"),
        ("scikit-activeml", "margin", "dense"),
        ("scikit-activeml", "margin", "minilm"),
        ("scikit-activeml", "typiclust", "minilm"),
        ("scikit-activeml", "badge", "minilm"),
        ("small-text", "breaking ties", "tfidf"),
    ]


@needs_peers
@pytest.mark.parametrize("place", range(6))
def test_peer_when_it_has_asked_forty_times_then_knows_more_than_chance(curves, place: int) -> None:
    run = curves[place]

    assert run.answers == (10, 20, 30, 40)
    assert run.full_supervision > 0.5
    assert run.macro_f1[-1] > 0.45


@quiet
@needs_peers
@pytest.mark.parametrize("place", range(6))
def test_peer_when_it_runs_again_with_the_same_seed_then_asks_the_same(curves, place: int) -> None:
    messages = simulate_fakes.messages(60, dimensions=("mood",))
    given, peer = a_split(messages), installed()[place]
    features = Workshop(encode).features(peer.features, given, 3)
    labels = np.arange(given.pool.height) % 3

    first, second = (peer.start(features.pool, 3, 3) for _ in range(2))
    for _ in range(2):
        rows, again = first.ask(5), second.ask(5)
        assert rows.tolist() == again.tolist()
        assert len(set(rows.tolist())) == 5
        first.learn(rows, labels[rows])
        second.learn(again, labels[again])


@quiet
@needs_peers
@pytest.mark.parametrize("place", range(6))
def test_peer_when_one_label_is_all_it_has_seen_then_says_that_label(place: int) -> None:
    given, peer = a_split(simulate_fakes.messages(60, dimensions=("mood",))), installed()[place]
    features = Workshop(encode).features(peer.features, given, 0)
    asking = peer.start(features.pool, 3, 0)

    for _ in range(2):
        rows = asking.ask(5)
        asking.learn(rows, np.full(5, 2))

    assert set(asking.predict(features.test).tolist()) == {2}


@quiet
@needs_peers
def test_small_text_when_labels_are_missing_still_then_predictions_are_labels_and_not_places() -> None:
    given = a_split(simulate_fakes.messages(60, dimensions=("mood",)))
    peer = installed()[-1]
    features = Workshop().features(peer.features, given, 0)
    asking = peer.start(features.pool, 5, 0)

    rows = asking.ask(10)
    asking.learn(rows, np.array([2, 4] * 5))

    assert set(asking.predict(features.test).tolist()) <= {2, 4}


def test_installed_when_a_library_is_missing_then_names_the_pip_command(monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *rest, **options):
        if name.split(".")[0] == "modAL":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "vigie.evaluation.peers.modal", raising=False)
    monkeypatch.delattr(peers, "modal", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError, match=r"--peers needs more packages; .*pip install 'vigie\[peers\]'"):
        installed()


def test_peer_system_when_there_are_two_dimensions_then_each_has_answers_of_its_own() -> None:
    peer, messages = InOrder(), simulate_fakes.messages()

    mood, topic = simulate(messages, [PeerSystem(peer, Workshop())], PLAN)

    assert (mood.dimension, topic.dimension) == ("mood", "topic")
    assert mood.answers == topic.answers == (10, 20, 30, 40)
    assert [n_labels for _, n_labels, _ in peer.pools] == [3, 2]
    assert not PeerSystem(peer, Workshop()).predicts_at_once


def test_peer_system_when_some_messages_have_no_label_then_only_the_others_are_asked_about() -> None:
    frame = simulate_fakes.rows(60)
    frame[0, "mood"] = None
    given = a_split(
        simulate_fakes.Messages.of(
            frame, "text", {"mood": "mood", "topic": "topic"}, normalise=simulate_fakes.normaliser("social")
        )
    )
    peer = InOrder()

    attempt = PeerSystem(peer, Workshop()).start(given, simulate_fakes.messages().dimensions, 0)
    attempt.answer(1_000)

    labelled = [given.pool[f"label:{name}"].drop_nulls().len() for name in ("mood", "topic")]
    assert [pool.shape[0] for pool, _, _ in peer.pools] == labelled
    assert set(attempt.predict()) == {"mood", "topic"}


def test_workshop_when_two_peers_share_a_model_then_it_is_fully_supervised_once_per_split() -> None:
    peer, workshop = InOrder(), Workshop()

    simulate(simulate_fakes.messages(dimensions=("mood",)), [PeerSystem(peer, workshop)] * 2, PLAN)
    assert peer.n_fits == 1

    simulate(simulate_fakes.messages(dimensions=("mood",)), [PeerSystem(peer, workshop)], PLAN)
    assert peer.n_fits == 2


def test_workshop_when_texts_are_brought_to_few_dimensions_then_pool_and_test_alike() -> None:
    given = a_split(simulate_fakes.messages(60, dimensions=("mood",)))

    found = Workshop().features("dense", given, 0)

    assert found.pool.shape[1] == found.test.shape[1] <= 100
    assert (found.pool.shape[0], found.test.shape[0]) == (given.pool.height, given.test.height)
    assert np.linalg.norm(found.pool, axis=1) == pytest.approx(np.ones(given.pool.height))


def test_peer_system_when_the_pool_has_no_label_or_a_single_one_then_predicts_a_label_all_the_same() -> None:
    given, (mood, topic) = a_split(simulate_fakes.messages()), simulate_fakes.messages().dimensions
    nothing = pl.lit(None, dtype=pl.String).alias("label:mood")
    given = replace(given, pool=given.pool.with_columns(nothing, pl.lit("other").alias("label:topic")))
    peer = InOrder()

    attempt = PeerSystem(peer, Workshop()).start(given, (mood, topic), 0)
    attempt.answer(10)

    assert set(attempt.predict()["mood"]) == set(attempt.full()["mood"]) == {mood.label_names[0]}
    assert set(attempt.full()["topic"]) == {"other"}
    assert peer.n_fits == 0


def test_workshop_when_texts_have_no_words_then_says_so() -> None:
    given = a_split(simulate_fakes.messages(60))
    wordless = replace(given, pool=given.pool.with_columns(text=pl.lit("!")))

    with pytest.raises(SettingsError, match="peers find no words in the texts"):
        Workshop().features("tfidf", wordless, 0)
