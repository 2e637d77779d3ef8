"""Fixtures: small clusters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kctl.runtime.profile import Profile
from tests.kubelet.world import World


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Return what makes a cluster without nodes, on a cloud, with latencies of its own."""

    def make(provider: str = "none", **latencies: float) -> World:
        return World(Profile()._replace(**latencies), provider)

    return make
