"""The events of a scenario as steps in time: each begins something or ends it.

In: a scenario. Out: its steps in order. What has an end (``for``) is two steps.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj, labels_of
from kctl.api.scenario.model import Event, Scenario

ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


class Step(NamedTuple):
    """One thing to do, ``at`` seconds after the clock's start."""

    at: float
    event: Event
    is_end: bool = False

    @property
    def text(self) -> str:
        """Return it in words."""
        if not self.is_end:
            return self.event.text
        ends = {"cordon": "uncordoned", "drain": "uncordoned", "load": "load is over"}
        subject = self.event.target.text if self.event.target else f"{self.event.scope}/{self.event.subject}"
        return f"{subject} {ends.get(self.event.what, 'recovers')}"


def steps_of(scenario: Scenario) -> tuple[Step, ...]:
    """Return the steps by time; those of one instant as they are written, ends before beginnings."""
    found = [Step(event.at, event) for event in scenario.events]
    found += [Step(event.at + event.lasts, event, True) for event in scenario.events if event.lasts is not None]
    return tuple(sorted(found, key=lambda step: (step.at, not step.is_end, step.event.place)))


def is_in_zone(node: Obj, zone: str) -> bool:
    """Say whether a node is in the zone people mean: by its name, or by what stands behind the region's (``b``)."""
    labels = labels_of(node)
    name, region = labels.get(ZONE, ""), labels.get(REGION, "")
    return bool(name) and (name == zone or (bool(region) and name.removeprefix(region).lstrip("-") == zone))
