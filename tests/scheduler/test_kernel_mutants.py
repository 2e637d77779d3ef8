"""Rules and weights made wrong are noticed; all of them: ``python -m tests.scheduler.mutants``."""

from __future__ import annotations

import pytest

from tests.scheduler.mutants import ARRAYS, MUTANTS, RECORDED, RECORDINGS, Mutant, run

QUICK = ("spread-weight", "pod-count", "alike-by-pods")


def look_for(mutant: Mutant) -> None:
    if mutant.by == ARRAYS:
        pytest.importorskip("numpy", reason="NumPy is not installed")
    if mutant.by == RECORDED and not (RECORDINGS / "scheduler").is_dir():
        pytest.skip("the recordings are not here")
    assert run(mutant)


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if mutant.name in QUICK], ids=lambda found: found.name)
def test_a_line_of_the_kernel_made_wrong_is_noticed(mutant: Mutant) -> None:
    look_for(mutant)


@pytest.mark.night
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda found: found.name)
def test_every_line_made_wrong_is_noticed(mutant: Mutant) -> None:
    look_for(mutant)
