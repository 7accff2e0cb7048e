"""Linear algebra with one thread: what a learner solves is small, and threads that wait for each other cost far more.

Two threads of OpenBLAS spin until both have run. Inverting a matrix of 1,000 rows took 0.04 s with one thread, and with two
on two cores that other processes wanted as well 4 s. Besides, sums of one thread are rounded alike on machines with any
number of cores.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate what computes; it takes half a millisecond, and holds for the whole process meanwhile."""

    @wraps(work)
    def alone(*given: P.args, **named: P.kwargs) -> R:
        """Do the work with one thread."""
        with threadpool_limits(limits=1, user_api="blas"):
            return work(*given, **named)

    return alone
