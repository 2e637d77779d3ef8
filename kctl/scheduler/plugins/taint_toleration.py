"""TaintToleration: hard taints refuse pods that do not tolerate them, soft ones cost points."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.tolerations import tolerates
from kctl.scheduler.extension import MAX_SCORE, Cycle, No
from kctl.scheduler.match import untolerated
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import TAINTS, Shape

REFUSAL = No("TaintToleration", ("node(s) had untolerated taint(s)",), True)


class TaintToleration:
    """Filters by NoSchedule and NoExecute taints, scores by PreferNoSchedule ones."""

    name = "TaintToleration"
    shape = Shape(filters=TAINTS, scores=TAINTS)

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node with a hard taint that the pod does not tolerate."""
        if not node.hard_taints or untolerated(node.hard_taints, cycle.pod.tolerations) is None:
            return None
        return REFUSAL

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Count the soft taints that the pod does not tolerate."""
        if not node.soft_taints:
            return 0
        soft = [t for t in cycle.pod.tolerations if not t.get("effect") or t["effect"] == "PreferNoSchedule"]
        return sum(not any(tolerates(t, taint) for t in soft) for taint in node.soft_taints)

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Turn counts into points: none is best (DefaultNormalizeScore, reversed)."""
        return normalized(scores, reverse=True)


def normalized(scores: list[int], *, reverse: bool) -> list[int]:
    """Scale scores so that the highest is 100, as DefaultNormalizeScore."""
    top = max(scores, default=0)
    if top == 0:
        return [MAX_SCORE] * len(scores) if reverse else scores
    if reverse:
        return [MAX_SCORE - MAX_SCORE * score // top for score in scores]
    return [MAX_SCORE * score // top for score in scores]
