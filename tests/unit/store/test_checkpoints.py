from concurrent.futures import ThreadPoolExecutor

from vigie.messages import Position
from vigie.store import Store

HERE = Position("a", 0, 10)
THERE = Position("b", 3, 2**40)
BOTH = ["out.jsonl", "dead.jsonl"]


def test_load_when_nothing_was_saved_then_is_empty(store: Store) -> None:
    assert store.checkpoints.load("files") == []
    assert store.checkpoints.lengths(BOTH) == {}
    assert store.checkpoints.lengths([]) == {}


def test_save_when_loaded_then_is_what_was_saved(store: Store) -> None:
    store.checkpoints.save("files", [THERE, HERE], {"out.jsonl": 2**40, "dead.jsonl": 0})

    assert store.checkpoints.load("files") == [HERE, THERE]
    assert store.checkpoints.lengths(BOTH) == {"out.jsonl": 2**40, "dead.jsonl": 0}
    assert store.checkpoints.lengths(["dead.jsonl", "unknown"]) == {"dead.jsonl": 0}


def test_save_when_saved_again_then_replaces_the_positions_of_that_source_only(store: Store) -> None:
    store.checkpoints.save("files", [HERE, THERE], {})
    store.checkpoints.save("other", [HERE], {})

    store.checkpoints.save("files", [Position("a", 0, 11)], {})

    assert store.checkpoints.load("files") == [Position("a", 0, 11)]
    assert store.checkpoints.load("other") == [HERE]


def test_save_when_sources_share_a_file_then_it_has_the_length_saved_last(store: Store) -> None:
    store.checkpoints.save("files", [HERE], {"out.jsonl": 1, "dead.jsonl": 2})

    store.checkpoints.save("other", [THERE], {"out.jsonl": 3})

    assert store.checkpoints.lengths(BOTH) == {"out.jsonl": 3, "dead.jsonl": 2}
    assert store.checkpoints.load("files") == [HERE]


def test_save_when_there_is_nothing_then_positions_are_gone_and_lengths_stay(store: Store) -> None:
    store.checkpoints.save("files", [HERE], {"out.jsonl": 1})
    store.checkpoints.save("files", [], {})

    assert store.checkpoints.load("files") == []
    assert store.checkpoints.lengths(BOTH) == {"out.jsonl": 1}


def test_save_when_a_path_is_not_unicode_then_its_length_is_found_again(store: Store) -> None:
    path = "caf\udce9.jsonl"
    store.checkpoints.save("files", [], {path: 5})

    assert store.checkpoints.lengths([path]) == {path: 5}


def test_save_when_sources_save_at_once_then_each_keeps_its_own(store: Store) -> None:
    def save(number: int) -> None:
        for offset in range(10):
            store.checkpoints.save(f"source{number}", [Position("a", 0, offset)], {"out.jsonl": 7, "dead.jsonl": 8})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(save, range(4)))

    assert all(store.checkpoints.load(f"source{n}") == [Position("a", 0, 9)] for n in range(4))
    assert store.checkpoints.lengths(BOTH) == {"out.jsonl": 7, "dead.jsonl": 8}
