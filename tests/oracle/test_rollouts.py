"""Recorded rollouts, replayed step by step in the normal run: they are few and fast."""

from __future__ import annotations

import pytest

from tests.oracle import FOLDER, controllers, runner


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the recordings are not beside the checkout")
def test_rollouts_go_as_recorded():
    results = list(controllers.SETS["rollouts"](FOLDER))
    wrong = [f"{result.id}: {result.why}" for result in results if not result.passed]
    assert results
    assert runner.rate(results) >= runner.floors()["whole"]["rollouts"], "\n".join(wrong[:5])
