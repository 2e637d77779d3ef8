"""Shared by all tests: in every plane they open, an object that is changed in place is an error."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def frozen_objects() -> None:
    """Freeze what any plane of this process stores."""
    from kctl.plane.plane import ControlPlane

    ControlPlane.frozen = True
