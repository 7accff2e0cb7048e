from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from builders import NOON, a_labelled_batch
from store_fixtures import SettableClock, StoreMaker
from vigie.labels import Annotation, Purpose
from vigie.store import GroupState, Store


def templates(store: Store) -> set[str]:
    return set(store.pool.counts()["template"])


def annotate(store: Store, template: str, label: str | None = "info", annotator: str = "ann") -> None:
    group = store.pool.find(template)
    assert group is not None
    store.annotations.add([Annotation(group.id, "severity", label, annotator, Purpose.TRAIN, NOON)])


def test_unlabelled_when_groups_differ_in_size_then_the_largest_comes_first(store: Store) -> None:
    store.record("kafka", a_labelled_batch("small", "big", "middle", "big", "middle", "big"))

    unlabelled = store.pool.unlabelled()

    assert unlabelled["template"].to_list() == ["big", "middle", "small"]
    assert unlabelled["count"].to_list() == [3, 2, 1]
    assert unlabelled.schema == {
        "group_id": pl.Int64,
        "template": pl.String,
        "count": pl.Int64,
        "first_seen": pl.Datetime("us", "UTC"),
        "last_seen": pl.Datetime("us", "UTC"),
    }
    assert store.pool.unlabelled(2)["template"].to_list() == ["big", "middle"]


def test_unlabelled_when_nothing_came_then_has_its_columns(store: Store) -> None:
    assert store.pool.unlabelled().columns == ["group_id", "template", "count", "first_seen", "last_seen"]
    assert store.pool.counts().height == 0


def test_unlabelled_when_answered_flagged_or_withdrawn_then_only_what_is_to_be_asked_is_there(store: Store) -> None:
    store.record("kafka", a_labelled_batch("answered", "flagged", "withdrawn", "new", "flagged", "flagged"))
    annotate(store, "answered")
    annotate(store, "withdrawn")
    annotate(store, "withdrawn", label=None)
    question = store.questions.lease("ann", 1, 60)[0]
    assert question.template == "flagged"
    store.questions.flag(question.id, "ann")

    assert set(store.pool.unlabelled()["template"]) == {"withdrawn", "new"}
    assert store.pool.answered() == 1


def test_find_when_group_exists_then_returns_what_group_returns(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a"))

    found = store.pool.find("a")

    assert found is not None
    assert store.pool.group(found.id) == found
    assert (found.template, found.count, found.state) == ("a", 1, GroupState.OPEN)


def test_find_when_nothing_is_there_then_returns_none(store: Store) -> None:
    assert store.pool.find("a") is None
    assert store.pool.group(7) is None


def test_samples_when_more_came_than_are_kept_then_they_are_bounded_and_newest_first(open_store: StoreMaker) -> None:
    store = open_store(samples_per_group=3)
    for i in range(20):
        late = a_labelled_batch("a", "a", texts=[f"x{i}", f"y{i}"], offset=2 * i)
        store.record("kafka", late.with_columns(pl.col("timestamp") + timedelta(seconds=i)))
    group = store.pool.find("a")
    assert group is not None

    samples = store.pool.samples(group.id)

    assert len(samples) == 3
    assert [s.timestamp for s in samples] == sorted((s.timestamp for s in samples), reverse=True)
    for sample in samples:
        i = int(sample.text[1:])
        assert (sample.source, sample.stream, sample.partition) == ("kafka", "logs", 0)
        assert sample.offset == 2 * i + (sample.text[0] == "y")
        assert sample.timestamp == NOON + timedelta(seconds=i)


def test_samples_when_drawn_many_times_then_every_message_is_as_likely(open_store: StoreMaker) -> None:
    store = open_store(samples_per_group=2, rng=np.random.default_rng(1))
    groups = [f"g{i}" for i in range(2000)]
    for nth in range(4):
        texts = [str(nth)] * len(groups)
        store.record("kafka", a_labelled_batch(*groups, texts=texts, offset=nth * len(groups)))

    kept = [
        sample.text for group_id in store.pool.counts()["group_id"][:500] for sample in store.pool.samples(group_id)
    ]

    # 500 groups keep 2 of 4: each of the four is expected 250 times, with a standard deviation of 11.
    assert len(kept) == 1000
    assert all(200 < kept.count(str(nth)) < 300 for nth in range(4))


def test_samples_when_rng_has_the_same_seed_then_they_are_the_same(open_store: StoreMaker) -> None:
    kept = []
    for source in ("one", "two"):
        store = open_store(rng=np.random.default_rng(3))
        store.record(source, a_labelled_batch(*[source] * 50, texts=[str(i) for i in range(50)]))
        group = store.pool.find(source)
        assert group is not None
        kept.append([sample.text for sample in store.pool.samples(group.id)])

    assert kept[0] == kept[1]


def test_add_when_texts_are_new_and_known_then_returns_their_groups_and_counts_them(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a"))
    texts = pl.DataFrame({"text": ["A 1", "B", "A 2"], "template": ["a", "b\x00", "a"]})

    added = store.pool.add(texts)

    assert added["template"].to_list() == ["a", "b\x00"]
    groups = [store.pool.group(group_id) for group_id in added["group_id"]]
    assert [(group.template, group.count) for group in groups if group] == [("a", 3), ("b\N{SYMBOL FOR NULL}", 1)]
    assert {sample.text for sample in store.pool.samples(added["group_id"][0])} == {"a", "A 1", "A 2"}
    assert store.pool.samples(added["group_id"][1])[0].offset is None


def test_add_when_there_are_no_texts_then_returns_nothing(store: Store) -> None:
    nothing = pl.DataFrame(schema={"text": pl.String, "template": pl.String})

    assert store.pool.add(nothing).to_dicts() == []


def test_evicted_when_pool_is_over_its_cap_then_the_smallest_and_longest_unseen_go(
    open_store: StoreMaker, clock: SettableClock
) -> None:
    store = open_store(max_groups=100)
    big = [f"big{i}" for i in range(50)]
    store.record("kafka", a_labelled_batch(*big, *big))
    old = a_labelled_batch(*[f"old{i}" for i in range(30)], offset=100)
    store.record("kafka", old.with_columns(pl.col("timestamp") - timedelta(hours=1)))
    store.record("kafka", a_labelled_batch(*[f"new{i}" for i in range(25)], offset=130))

    assert store.pool.size() == 99
    assert store.pool.evicted() == 6
    assert sum(name.startswith("old") for name in templates(store)) == 24
    assert store.pool.size() == store.pool.counts().height


def test_evicted_when_groups_are_worth_keeping_then_they_stay(open_store: StoreMaker) -> None:
    store = open_store(max_groups=10)
    kept = ["answered", "withdrawn", "leased", "skipped", "flagged", "drawn"]
    store.record("kafka", a_labelled_batch(*kept))
    annotate(store, "answered")
    annotate(store, "withdrawn")
    annotate(store, "withdrawn", label=None)
    asked = {question.template: question for question in store.questions.lease("ann", 5, 60)}
    store.questions.skip(asked["skipped"].id, "ann")
    store.questions.flag(asked["flagged"].id, "ann")
    store.questions.release("ann", [asked["drawn"].id, asked["withdrawn"].id])
    store.audit.draw([asked["drawn"].group_id])

    store.record("kafka", a_labelled_batch(*[f"other{i}" for i in range(20) for _ in range(3)], offset=10))

    assert store.pool.size() == 10
    assert set(kept) <= templates(store)


def test_evicted_when_another_process_evicts_then_a_template_that_returns_is_a_new_group(
    open_store: StoreMaker,
) -> None:
    first, second = open_store(max_groups=1000), open_store(max_groups=2)
    first.record("kafka", a_labelled_batch("gone"))
    gone = first.pool.find("gone")
    second.record("kafka", a_labelled_batch("b", "b", "c", "c", partition=1))
    assert first.pool.find("gone") is None

    first.record("kafka", a_labelled_batch("gone", "b", offset=1))

    back = first.pool.find("gone")
    assert gone is not None
    assert back is not None
    assert back.id > gone.id
    assert back.count == 1
    assert [sample.text for sample in first.pool.samples(back.id)] == ["gone"]


@pytest.mark.parametrize("n", [40_000])
def test_record_when_more_groups_come_than_one_statement_takes_then_all_are_there(store: Store, n: int) -> None:
    names = [f"g{i}" for i in range(n)]
    store.record("kafka", a_labelled_batch(*names))
    store.record("other", a_labelled_batch(*names))

    assert store.pool.size() == n
    assert store.pool.counts()["count"].sum() == 2 * n


def test_messages_when_groups_are_flagged_then_theirs_are_left_out(store: Store) -> None:
    assert store.pool.messages() == 0
    store.record("kafka", a_labelled_batch("flagged", "flagged", "answered", "new", None))
    annotate(store, "answered")
    question = store.questions.lease("ann", 1, 60)[0]
    assert question.template == "flagged"
    store.questions.flag(question.id, "ann")

    assert store.pool.messages() == 2


def test_sample_when_taken_then_only_open_groups_come_and_always_the_same(store: Store) -> None:
    store.record("files", a_labelled_batch(*(f"t{n}" for n in range(50))))
    answered = store.pool.find("t3")
    assert answered is not None
    store.annotations.add([Annotation(answered.id, "severity", "info", "ann", Purpose.TRAIN, NOON)])

    found = store.pool.sample(20)

    assert found.height == len(set(found["group_id"])) == 20
    assert "t3" not in store.pool.sample(100)["template"]
    assert store.pool.sample(20).equals(found)
    assert found.columns == store.pool.unlabelled(1).columns
    assert found["template"].to_list() != store.pool.unlabelled(20)["template"].to_list()


def test_sizes_when_groups_differ_in_size_then_those_of_unlabelled_in_its_order(store: Store) -> None:
    store.record("kafka", a_labelled_batch("small", "big", "middle", "big", "middle", "big", "answered"))
    annotate(store, "answered")

    assert store.pool.sizes().equals(store.pool.unlabelled().select("group_id", "count"))


def test_described_when_some_are_gone_or_answered_then_what_there_is(store: Store) -> None:
    store.record("kafka", a_labelled_batch("one", "two", "two"))
    annotate(store, "one")
    known = store.pool.counts().sort("group_id")

    found = store.pool.described([999, *known["group_id"]])

    assert found.columns == ["group_id", "template", "count", "first_seen", "last_seen"]
    assert found.select("group_id", "template", "count").equals(known)
    assert store.pool.described([]).height == 0
