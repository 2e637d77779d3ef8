"""DynamicResources: recognised, not simulated.

Resource claims are neither allocated nor waited for: pods that use them are scheduled as if they did
not (the register says so). What the plugin of a cluster without claims contributes is here: a
score of 0 and its word in FailedScheduling.
"""

from __future__ import annotations

from kctl.scheduler.extension import NOT_FOUND, Cycle, Preemption, Refused
from kctl.scheduler.framework import Framework
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import ZERO, Shape


class DynamicResources:
    """Says what upstream's plugin says when there are no claims."""

    name = "DynamicResources"
    shape = Shape(scores=ZERO)

    def post_filter(self, framework: Framework, cycle: Cycle, refused: Refused) -> Preemption:
        """Answer that there are no claims to give up.

        When PreFilter ended before it came to this plugin, upstream's fails to find its own state.
        """
        if refused.pod_refused and refused.absent is not None and refused.absent.unresolvable:
            return Preemption(message=NOT_FOUND, clears=False)
        return Preemption(message="no new claims to deallocate", clears=False)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Return 0: there is nothing to choose between."""
        return 0
