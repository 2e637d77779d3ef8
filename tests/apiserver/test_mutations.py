"""Requests made wrong on purpose are refused as a Status, and never crash the server or write."""

from __future__ import annotations

import pytest

from tests.apiserver import mutations
from tests.oracle import FOLDER

COUNT = 600


@pytest.mark.parametrize("seed", [1, 2])
def test_wrong_requests_made_of_the_samples_are_refused_in_order(seed: int) -> None:
    requests = mutations.samples()
    assert len(requests) > 5
    wrong, _ = mutations.search(requests, seed, COUNT)
    assert wrong == []


@pytest.mark.skipif(not (FOLDER / "api").is_dir(), reason="the recordings are not beside the checkout")
@pytest.mark.parametrize("seed", [3, 4])
def test_wrong_requests_made_of_recorded_ones_are_refused_in_order(seed: int) -> None:
    wrong, _ = mutations.search(mutations.recorded(FOLDER), seed, COUNT)
    assert wrong == []


def test_a_crash_and_a_refusal_that_wrote_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from kctl.apiserver import create

    def crash(*_: object) -> None:
        raise KeyError("name")

    monkeypatch.setattr(create, "handle", crash)
    wrong, _ = mutations.search(mutations.samples(), 1, 50)
    assert any("KeyError" in each.why for each in wrong)
