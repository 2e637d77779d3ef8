"""Shared by all tests: no plane of this process tolerates objects changed in place or aggregates that drift."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--rewrite`` write down what samples print now; read the difference before committing it."""
    parser.addoption("--rewrite", action="store_true", help="rewrite the samples' expected output")


@pytest.fixture(autouse=True, scope="session")
def strict_planes() -> None:
    """Freeze what is stored; compare every index and fold with a recomputation whenever a cache changed."""
    from kctl.plane.plane import ControlPlane
    from kctl.runtime.manager import Manager

    ControlPlane.frozen = True
    Manager.checked = True
