"""Shared by all tests: no plane of this process tolerates objects changed in place or aggregates that drift."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def strict_planes() -> None:
    """Freeze what is stored; compare every index and fold with a recomputation whenever a cache changed."""
    from kctl.plane.plane import ControlPlane
    from kctl.runtime.manager import Manager

    ControlPlane.frozen = True
    Manager.checked = True
