import polars as pl

from builders import a_labelled_batch
from vigie.store import Store


def test_draws_when_nothing_was_drawn_then_is_empty(store: Store) -> None:
    assert store.audit.draws().schema == {"group_id": pl.Int64, "draws": pl.Int64}
    store.audit.draw([])
    assert store.audit.draws().height == 0


def test_draw_when_a_group_is_drawn_often_then_its_draws_add_up(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a", "b", "c"))
    a, b, _ = store.pool.counts().sort("template")["group_id"]

    store.audit.draw([a, b, a])
    store.audit.draw(store.pool.counts().filter(pl.col("template") == "a")["group_id"])

    assert store.audit.draws().rows() == [(a, 3), (b, 1)]


def test_draw_when_a_group_is_gone_then_it_is_left_out(store: Store) -> None:
    store.record("kafka", a_labelled_batch("a"))

    store.audit.draw([*store.pool.counts()["group_id"], 999])

    assert store.audit.draws()["draws"].to_list() == [1]
