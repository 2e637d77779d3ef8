"""The Python door: the control plane of :mod:`kctl.plane`, whose runs end in a Report.

People embed it in their own test suites, and kctl's tests use the same door.
"""

from __future__ import annotations

from kctl.api.objects import Obj
from kctl.plan import report
from kctl.plane import plane


class ControlPlane(plane.ControlPlane):
    """A control plane that starts in milliseconds; see :class:`kctl.plane.plane.ControlPlane`."""

    def converge(self, timeout: str | float = "1h") -> Obj:
        """Run all loops until nothing would change any more and return the Report.

        ``timeout`` is virtual time, as ``"10m"`` or in seconds; UsageError when it is neither.
        """
        outcome = self.run(within=plane.parse_duration(timeout))
        return report.build(self, outcome, used=report.written_by_people(self))

    def advance(self, duration: str | float) -> Obj:
        """Let virtual time pass and return the Report of what happened."""
        seconds = plane.parse_duration(duration)
        outcome = self.run(within=max(seconds, plane.HORIZON), advance=seconds)
        return report.build(self, outcome, used=report.written_by_people(self))
