from vigie.messages import Position
from vigie.store import Store

HERE = Position("a", 0, 10)
THERE = Position("b", 3, 2**40)


def test_load_when_nothing_was_saved_then_is_empty(store: Store) -> None:
    assert store.checkpoints.load("files") == ([], {})


def test_save_when_loaded_then_is_what_was_saved(store: Store) -> None:
    store.checkpoints.save("files", [THERE, HERE], {"out.jsonl": 2**40, "dead.jsonl": 0})

    assert store.checkpoints.load("files") == ([HERE, THERE], {"out.jsonl": 2**40, "dead.jsonl": 0})


def test_save_when_saved_again_then_replaces_all_of_that_source_only(store: Store) -> None:
    store.checkpoints.save("files", [HERE, THERE], {"out.jsonl": 1, "dead.jsonl": 2})
    store.checkpoints.save("other", [HERE], {"out.jsonl": 3})

    store.checkpoints.save("files", [Position("a", 0, 11)], {"out.jsonl": 4})

    assert store.checkpoints.load("files") == ([Position("a", 0, 11)], {"out.jsonl": 4})
    assert store.checkpoints.load("other") == ([HERE], {"out.jsonl": 3})


def test_save_when_there_is_nothing_then_the_checkpoint_is_empty(store: Store) -> None:
    store.checkpoints.save("files", [HERE], {"out.jsonl": 1})
    store.checkpoints.save("files", [], {})

    assert store.checkpoints.load("files") == ([], {})
