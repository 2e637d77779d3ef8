"""A sample of the recorded decisions of kube-scheduler, through the door; the whole: ``python -m tests.oracle``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "oracle"
pytestmark = pytest.mark.skipif(not (FOLDER / "scheduler").is_dir(), reason="the recordings are not here")


def test_recorded_decisions_are_made_again() -> None:
    from tests.oracle import scheduler

    answers = scheduler.decisions(FOLDER, 4)
    assert len(answers) > 500
    wrong = [found.result for found in answers if not found.result.passed]
    assert len(wrong) <= len(answers) // 100, wrong[:3]


@pytest.mark.parametrize("name", ["preemption", "requeue"])
def test_recorded_cases_go_the_same_way(name: str) -> None:
    from tests.oracle import scheduler

    results = list(islice(scheduler.SETS[name](FOLDER), 60))
    wrong = [result for result in results if not result.passed]
    assert len(results) == 60
    assert len(wrong) <= 1, wrong
