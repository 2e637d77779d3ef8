"""The commit rule over simulated replicas, and what happens to it when one rule is taken away."""

from __future__ import annotations

import pytest

from tests.store.faults import protocol
from tests.store.faults.mutants import PROTOCOL, broken
from tests.store.faults.witness import Violation


@pytest.mark.parametrize(("replicas", "seeds"), [(1, 60), (3, 300), (5, 60)])
def test_no_life_breaks_an_invariant(replicas, seeds):
    found = protocol.run(range(seeds), 40, replicas)
    assert found.acknowledged > seeds
    assert found.deaths > seeds / 2
    assert found.choices > 10 * seeds


def test_the_same_seed_is_the_same_life():
    assert protocol.run(range(40, 50), 40, 3) == protocol.run(range(40, 50), 40, 3)


@pytest.mark.night
@pytest.mark.parametrize("name", PROTOCOL)
def test_without_one_of_its_rules_an_invariant_breaks(name):
    with broken(PROTOCOL[name]), pytest.raises(Violation):
        protocol.until(2000)
