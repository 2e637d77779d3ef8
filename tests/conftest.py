"""Shared by all tests: in every plane they open, an object that is changed in place is an error."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--rewrite`` write down what samples print now; read the difference before committing it."""
    parser.addoption("--rewrite", action="store_true", help="rewrite the samples' expected output")


@pytest.fixture(autouse=True, scope="session")
def frozen_objects() -> None:
    """Freeze what any plane of this process stores."""
    from kctl.plane.plane import ControlPlane

    ControlPlane.frozen = True
