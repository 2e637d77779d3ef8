"""The checker of histories itself: it accepts what is right and rejects what is wrong."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.store.faults.linear import NEVER, Operation, check


def register(state, operation):
    """One number that is written, read, and swapped when it is what one thinks."""
    verb, value = operation.asked
    if verb == "write":
        return value
    if verb == "read":
        return state if operation.answered == state else None
    old, new = value
    if operation.answered != (state == old):
        return None
    return new if state == old else state


def op(called, returned, asked, answered=None):
    return Operation(called, returned, asked, answered)


RIGHT = {
    "one after the other": [op(0, 1, ("write", 1)), op(2, 3, ("read", 0), 1)],
    "a read beside a write sees the old value": [op(0, 9, ("write", 1)), op(2, 3, ("read", 0), 0)],
    "or the new one": [op(0, 9, ("write", 1)), op(2, 3, ("read", 0), 1)],
    "a write of a dead caller takes effect late": [
        op(0, NEVER, ("write", 1)),
        op(5, 6, ("read", 0), 0),
        op(7, 8, ("read", 0), 1),
    ],
    "two swaps, one wins": [op(0, 5, ("swap", (0, 1)), True), op(1, 4, ("swap", (0, 2)), False)],
}
WRONG = {
    "a stale read": [op(0, 1, ("write", 1)), op(2, 3, ("read", 0), 0)],
    "a value nobody wrote": [op(0, 1, ("read", 0), 7)],
    "a read that goes back": [op(0, 9, ("write", 1)), op(1, 2, ("read", 0), 1), op(3, 4, ("read", 0), 0)],
    "two swaps, both win": [op(0, 5, ("swap", (0, 1)), True), op(1, 4, ("swap", (0, 2)), True)],
    "a lost write": [op(0, 1, ("write", 1)), op(2, 3, ("write", 2)), op(4, 5, ("read", 0), 1)],
    "a write before its call": [op(0, 1, ("read", 0), 1), op(2, NEVER, ("write", 1))],
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_history_is_accepted(name):
    assert check(RIGHT[name], register, 0).order is not None


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_history_is_rejected(name):
    assert check(WRONG[name], register, 0).order is None


def brute(history):
    """Try every order: what the checker must agree with."""
    for order in itertools.permutations(range(len(history))):
        places = {n: k for k, n in enumerate(order)}
        if any(
            a.returned < b.called and places[n] > places[m]
            for n, a in enumerate(history)
            for m, b in enumerate(history)
        ):
            continue
        state = 0
        for n in order:
            state = register(state, history[n])
            if state is None:
                break
        else:
            return True
    return False


def test_the_checker_agrees_with_trying_every_order():
    dice = random.Random(7)
    verdicts = set()
    for _ in range(400):
        history = []
        for _ in range(dice.randint(2, 5)):
            called = dice.randint(0, 8)
            returned = dice.choice([called + dice.randint(0, 6), NEVER])
            verb = dice.choice(["write", "read", "swap"])
            value = {"write": dice.randint(1, 2), "read": 0, "swap": (dice.randint(0, 2), dice.randint(1, 2))}[verb]
            answer = {"write": None, "read": dice.randint(0, 2), "swap": dice.random() < 0.5}[verb]
            history.append(op(called, returned, (verb, value), answer))
        right = check(history, register, 0).order is not None
        assert right == brute(sorted(history, key=lambda o: (o.called, o.returned)))
        verdicts.add(right)
    assert verdicts == {True, False}


def test_a_long_history_is_checked_in_as_many_steps_as_it_has():
    history = [op(10 * n, 10 * n + 25, ("write", n)) for n in range(3000)]
    verdict = check(history, register, 0)
    assert verdict.order is not None
    assert verdict.tried <= 3001
