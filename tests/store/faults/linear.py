"""Is a history linearizable? Wing and Gong's search with Lowe's memory of what was tried.

In: operations with the moments they were called and returned, a model's step function and its
first state. Out: an order of all operations in which each one takes effect between its call and
its return and answers as the model does; None when there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

NEVER = 1 << 62
"""When an operation returned whose caller died: it may take effect at any later moment."""


class Operation(NamedTuple):
    """One call: when it was made and answered, what was asked, and what was answered."""

    called: int
    returned: int
    asked: Any
    answered: Any


Model = Callable[[Any, Operation], Any]
"""Return the state after an operation, None when its answer is not the one this state gives."""


class Verdict(NamedTuple):
    """``order`` is None when no order explains the history; ``tried`` counts the states looked at."""

    order: list[int] | None
    tried: int
    longest: int
    """How many operations the best attempt explained."""


def check(history: Sequence[Operation], model: Model, first: Hashable) -> Verdict:
    """Search for an order, depth first, without trying the same set and state twice.

    The set of operations that have taken effect is remembered as the number of the first one
    that has not and those behind it that have: with a handful of clients that is a few numbers.
    """
    history = sorted(history, key=lambda operation: (operation.called, operation.returned))
    low, ahead, state = 0, frozenset[int](), first
    seen = {(low, ahead, state)}
    order: list[int] = []
    choices = [iter(_next(history, low, ahead))]
    back = [(low, ahead, state)]
    longest = 0
    while low < len(history):
        for n in choices[-1]:
            after = model(state, history[n])
            if after is None:
                continue
            moved = _taken(low, ahead, n)
            if (*moved, after) in seen:
                continue
            seen.add((*moved, after))
            (low, ahead), state = moved, after
            order.append(n)
            longest = max(longest, len(order))
            back.append((low, ahead, state))
            choices.append(iter(_next(history, low, ahead)))
            break
        else:
            choices.pop()
            back.pop()
            if not back:
                return Verdict(None, len(seen), longest)
            order.pop()
            low, ahead, state = back[-1]
    return Verdict(order, len(seen), longest)


def _next(history: Sequence[Operation], low: int, ahead: frozenset[int]) -> list[int]:
    """Return the operations that may come next: called before any other open one had returned."""
    found: list[int] = []
    soonest = NEVER + 1
    for n in range(low, len(history)):
        if history[n].called > soonest:
            break
        if n not in ahead:
            found.append(n)
            soonest = min(soonest, history[n].returned)
    return [n for n in found if history[n].called <= soonest]


def _taken(low: int, ahead: frozenset[int], n: int) -> tuple[int, frozenset[int]]:
    """Return the set with one more."""
    done = ahead | {n}
    while low in done:
        done -= {low}
        low += 1
    return low, done
