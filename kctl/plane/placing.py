"""Questions to the scheduler about one pod: why here, why nowhere, what would help.

In: a plane and a pod. Out: JSON values. Nothing is written: the scheduler's plugins run on a picture of the cluster
of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import StatusError
from kctl.api.objects import Obj, controller_uid, dig, is_deleting, key_of
from kctl.plane.amendments import Written, amendments, takes_all_at_once, template_owner

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane
    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.framework import Framework
    from kctl.scheduler.trial import Remedy, Trial, View

MOST_REMEDIES = 5
ALL_AT_ONCE = " (and its strategy is Recreate: old pods keep new ones off)"
FEWER = 8.0
"""What running fewer pods costs beside other changes: it is hardly ever what was meant."""


class Picture:
    """What the scheduler knows of a cluster, drawn once to ask about several pods; it does not follow changes."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._manager = plane.converger.manager
        self._manager.pump()
        self._cluster: Cluster | None = None

    def explain(self, pod: Obj, *, most: int = MOST_REMEDIES) -> Obj:
        """Return the decision for a pod with every obstacle of every node, and for one that fits nowhere the remedies.

        The form is that of :meth:`ControlPlane.scheduling`; ``revision`` says which state of the cluster it is about:
        for a pod that has its node that of its binding, as long as the log knows it. A node also has ``obstacles``,
        and beside ``nodes`` there are ``why``, what keeps the pod off by counts and with amounts, and ``remedies``,
        smallest change first.
        """
        plane = self._plane
        decision = {"revision": plane.revision, **plane.scheduling(*key_of(pod), drawn=self._without(pod))}
        if pod["spec"].get("nodeName"):
            nodes = {name: {**found, "obstacles": []} for name, found in decision["nodes"].items()}
            return {**decision, "nodes": nodes, "why": "", "remedies": []}
        trial = self._trial(pod)
        view = trial.view()
        is_pending = decision["node"] is None and not decision["nominated"]
        return {
            **decision,
            "nodes": nodes_told(decision, view),
            "why": summary(view) if is_pending else "",
            "remedies": _remedies(plane, pod, trial, most) if is_pending and most else [],
        }

    def _without(self, pod: Obj) -> Cluster | None:
        """Return the cluster as drawn, None where the pod itself is in it."""
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        return None if pod["spec"].get("nodeName") or nominated else self._drawn()

    def _drawn(self) -> Cluster:
        from kctl.scheduler.cluster import Cluster
        from kctl.scheduler.explain import fill

        if self._cluster is None:
            self._cluster = Cluster(self._manager.caches)
            fill(self._cluster)
        return self._cluster

    def _trial(self, pod: Obj) -> Trial:
        from kctl.scheduler.trial import Trial

        return Trial(self._manager.caches, pod, framework_of(self._plane, pod), self._drawn())


def framework_of(plane: ControlPlane, pod: Obj) -> Framework | None:
    """Return how the scheduler that the pod asks for decides; None for the default one."""
    from kctl.plane.loops import SCHEDULER
    from kctl.scheduler.schedulers import scheduler_name

    for loop in plane.converger.manager.loops:
        if loop.name == SCHEDULER:
            found = loop.schedulers.by_name.get(scheduler_name(pod["spec"]))  # type: ignore[attr-defined]
            return found.framework if found is not None else None
    return None


def has_scheduler(plane: ControlPlane) -> bool:
    """Say whether a scheduler runs here at all."""
    from kctl.plane.loops import SCHEDULER

    return any(loop.name == SCHEDULER for loop in plane.converger.manager.loops)


def nodes_told(decision: Obj, view: View) -> Obj:
    """Return the nodes of a decision, each with all its obstacles."""
    return {name: {**found, "obstacles": _told(view, name)} for name, found in decision["nodes"].items()}


def _told(view: View, name: str) -> list[Obj]:
    return [
        {"plugin": found.plugin, "kind": found.kind, "text": text_of(found.kind, found.what, found.short, found.reason)}
        for found in view.obstacles.get(name, ())
    ]


def text_of(kind: str, what: tuple[str, ...], short: int, reason: str) -> str:
    """Write an obstacle with what the scheduler's message leaves out."""
    from kctl.scheduler.amounts import printed_amount

    listed = ", ".join(what)
    match kind:
        case "resource":
            return f"Insufficient {listed} (short {printed_amount(listed, short)})"
        case "taint":
            key, value, effect = what
            return f"untolerated taint {key}={value}:{effect}" if value else f"untolerated taint {key}:{effect}"
        case "cordoned":
            return "cordoned"
        case "affinity" if what:
            return f"does not match {' or '.join(what)}"
        case "port":
            return f"host port {listed} is taken"
        case "spread" if what:
            return f"spread over {listed} would be {short}"
        case "missingTopologyLabel":
            return f"no label {listed}"
        case "podAffinity" | "podAntiAffinity" if what:
            return f"{reason.removeprefix('node(s) ')} ({listed})"
    return reason.removeprefix("node(s) ")


def summary(view: View) -> str:
    """Say in a line what keeps a pod off the nodes, each node under all its obstacles: ``3 Insufficient cpu (...)``."""
    if view.refused is not None:
        return ", ".join(view.refused.reasons)
    counts: dict[tuple[str, tuple[str, ...]], tuple[int, int, str]] = {}
    for found in view.obstacles.values():
        for one in found:
            seen, least, reason = counts.get(one.identity, (0, one.short, one.reason))
            counts[one.identity] = (seen + 1, min(least, one.short), reason)
    listed = sorted(((-seen, *key, least, reason) for key, (seen, least, reason) in counts.items()))
    return ", ".join(f"{-seen} {text_of(kind, what, least, reason)}" for seen, kind, what, least, reason in listed)


def _remedies(plane: ControlPlane, pod: Obj, trial: Trial, most: int) -> list[Obj]:
    owner = template_owner(plane, pod)
    found = [remedy_data(plane, owner, remedy) for remedy in trial.remedies(most=most)]
    fewer = _fewer(plane, owner)
    if fewer is not None:
        found.append(fewer)
    return sorted(found, key=lambda remedy: float(remedy["cost"]))[:most]


def remedy_data(plane: ControlPlane, owner: Written, remedy: Remedy) -> Obj:
    """Return a remedy with what to apply; ``owner`` has the template of the pod."""
    all_at_once = takes_all_at_once(owner, remedy.changes)
    return {
        "text": remedy.text + (ALL_AT_ONCE if all_at_once else ""),
        "cost": round(remedy.cost[0] + 2 * all_at_once, 2),
        "nodes": list(remedy.nodes),
        "evicts": list(remedy.evicts),
        "object": owner.text,
        "apply": amendments(plane, owner, remedy.changes),
    }


def _fewer(plane: ControlPlane, owner: Written) -> Obj | None:
    """Return what is left when the workload is content with the pods that have a node."""
    wanted = dig(owner.obj, "spec", "replicas")
    if owner.kind.resource not in ("deployments.apps", "replicasets.apps", "statefulsets.apps") or not wanted:
        return None
    placed = _placed(plane, owner)
    if not 0 < placed < wanted:
        return None
    namespace, name = key_of(owner.obj)
    patch = [{"op": "replace", "path": "/spec/replicas", "value": placed}]
    return {
        "text": f"{placed} of {wanted} fit: nothing is left over with {placed} replicas",
        "cost": round(FEWER + 2 * (wanted - placed) / wanted, 2),
        "nodes": [],
        "evicts": [],
        "object": owner.text,
        "apply": [
            {
                "resource": owner.kind.resource,
                "namespace": namespace,
                "name": name,
                "subresource": "",
                "patch": patch,
                "recreate": False,
            }
        ],
    }


def _placed(plane: ControlPlane, owner: Written) -> int:
    """Count the pods of the workload that have a node; 0 while those of two templates are there."""
    namespace, uid = key_of(owner.obj).namespace, owner.obj["metadata"].get("uid", "")
    parents = {uid}
    if owner.kind.resource == "deployments.apps":
        sets = plane.client.list("replicasets.apps", namespace).items
        parents = {rs["metadata"]["uid"] for rs in sets if controller_uid(rs) == uid}
    try:
        pods = plane.client.list("pods", namespace).items
    except StatusError:
        return 0
    own = [pod for pod in pods if controller_uid(pod) in parents and not is_deleting(pod)]
    if len({controller_uid(pod) for pod in own}) != 1:
        return 0
    return sum(bool(pod["spec"].get("nodeName")) for pod in own)
