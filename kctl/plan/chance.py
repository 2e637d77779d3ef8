"""What depends on chance: the same run with several seeds, compared.

In: how each run ended, with its seed. Out: data: the verdicts, and per workload what differs from one
seed to another: how many of its pods were not placed, and how many stood on each node. What is the same in all
runs is not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.objects import Obj
from kctl.plan.ownership import Owners, Ref

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane

WORST = ("Converged", "Settled", "Oscillating", "Horizon")
NOWHERE = ""
ENDED = ("Succeeded", "Failed")


class Ending(NamedTuple):
    """How a run with one seed ended: its verdict, and the pods of each workload by node."""

    seed: int
    verdict: str
    pods: Mapping[Ref, Mapping[str, int]]


def ending(seed: int, plane: ControlPlane, reports: Iterable[Obj]) -> Ending:
    """Return how a run ended; of several reports the worst verdict counts."""
    verdict = max((report["verdict"] for report in reports), key=WORST.index)
    return Ending(seed, verdict, placements(plane))


def placements(plane: ControlPlane) -> dict[Ref, Counter[str]]:
    """Return how many pods of each workload are on each node; "" for pods without one."""
    owners = Owners(plane.client.list("replicasets.apps").items)
    found: dict[Ref, Counter[str]] = {}
    for pod in plane.client.list("pods").items:
        is_over = (pod.get("status") or {}).get("phase") in ENDED
        if not is_over:
            found.setdefault(owners.top(pod), Counter())[pod["spec"].get("nodeName") or NOWHERE] += 1
    return found


def compare(endings: Sequence[Ending]) -> Obj:
    """Return what differs between the runs."""
    workloads = sorted({ref for found in endings for ref in found.pods})
    told = [entry for ref in workloads if (entry := _workload(ref, endings)) is not None]
    verdicts: dict[str, list[int]] = {}
    for found in endings:
        verdicts.setdefault(found.verdict, []).append(found.seed)
    return {
        "seeds": [found.seed for found in endings],
        "verdicts": {verdict: verdicts[verdict] for verdict in WORST if verdict in verdicts},
        "workloads": told,
    }


def _workload(ref: Ref, endings: Sequence[Ending]) -> Obj | None:
    """Return what differs about one workload, None for nothing."""
    pods = [(found.seed, found.pods.get(ref, {})) for found in endings]
    if all(found == pods[0][1] for _, found in pods):
        return None
    pending: dict[int, list[int]] = {}
    for seed, found in pods:
        pending.setdefault(found.get(NOWHERE, 0), []).append(seed)
    nodes = sorted({node for _, found in pods for node in found if node != NOWHERE})
    counts = {node: [found.get(node, 0) for _, found in pods] for node in nodes}
    return {
        "namespace": ref.namespace,
        "owner": ref.text,
        "pending": [{"pods": n, "seeds": pending[n]} for n in sorted(pending)],
        "nodes": {node: {"least": min(n), "most": max(n)} for node, n in counts.items() if min(n) != max(n)},
    }
