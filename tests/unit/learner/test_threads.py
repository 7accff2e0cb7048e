import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from vigie.learner.threads import one_thread


def n_threads() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))  # so that the library is there
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_when_something_is_computed_then_others_have_their_threads_again_afterwards() -> None:
    @one_thread
    def work(what: int) -> tuple[int, set[int]]:
        return what, n_threads()

    with threadpool_limits(limits=2, user_api="blas"):
        assert work(7) == (7, {1})
        assert n_threads() == {2}


def test_one_thread_when_the_work_fails_then_others_have_their_threads_again_afterwards() -> None:
    @one_thread
    def fail() -> None:
        raise ValueError("no")

    with threadpool_limits(limits=2, user_api="blas"):
        with pytest.raises(ValueError, match="no"):
            fail()
        assert n_threads() == {2}
