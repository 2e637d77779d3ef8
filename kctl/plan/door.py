"""The Python door: the control plane of :mod:`kctl.plane`, whose runs end in a Report.

People embed it in their own test suites, and kctl's tests use the same door.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kctl.api.errors import UsageError
from kctl.api.objects import Obj
from kctl.plan import report
from kctl.plane import plane

if TYPE_CHECKING:
    from kctl.plan.ledger import Ledger


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

    def ledger(self) -> Ledger:
        """Return what takes down who writes what while a ``with`` block lasts: its ``data()`` has a row per write."""
        from kctl.plan.ledger import Ledger

        return Ledger(self)

    def play(
        self, *what_ifs: str, scenario: Obj | None = None, expect: Sequence[str] = (), timeout: str | float = "1h"
    ) -> Obj:
        """Play what-ifs (``node:n2=die@30s``) and a Scenario, and return the Report with what was expected.

        Its clock starts when all that was asked before has converged. UsageError for what cannot be read or
        speaks of what is not here.
        """
        from kctl.plan import whatif

        played = whatif.compose(whatif.checked(scenario), what_ifs, expect)
        errors = whatif.misfits(self, played)
        if errors:
            raise UsageError("; ".join(map(str, errors)))
        whatif.put(self, played)
        witness = whatif.watched(self, played)
        within = plane.parse_duration(timeout) + played.ends()
        outcome = self.run(within=within, listener=witness)
        built = report.build(self, outcome, used=report.written_by_people(self))
        return whatif.added(self, played, witness, built, outcome.started)
