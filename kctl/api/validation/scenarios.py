"""Scenarios: what :mod:`kctl.api.scenario.reading` finds wrong."""

from __future__ import annotations

from kctl.api.objects import Obj
from kctl.api.validation.meta import Errors


def scenario(obj: Obj, out: Errors) -> None:
    """Check a Scenario."""
    from kctl.api.scenario import reading

    for error in reading.read(obj)[1]:
        out.append(error)
