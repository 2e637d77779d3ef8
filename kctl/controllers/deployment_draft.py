"""A sync of a Deployment in the making: what has been decided so far, and what will then be so.

Upstream's sync writes, reads the answer and goes on. A pure decision cannot, so it works on a
draft: every change is kept as an action and laid over the objects at once, and the steps that
follow see it. Only this object is mutable, and it does not outlive the decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.api.clock import rfc3339
from kctl.api.objects import Obj, evolve, is_deleting, key_of, labels_of
from kctl.controllers.intorpercent import scaled
from kctl.controllers.ownership import Matcher, adopt, release
from kctl.runtime.actions import Action, Create, Emit, Patch
from kctl.runtime.controller import Decision

DEPLOYMENTS = "deployments.apps"
REPLICASETS = "replicasets.apps"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"


class Draft:
    """One sync: the Deployment, its new ReplicaSet, its old ones by age, and the actions so far."""

    def __init__(self, deployment: Obj, now: float) -> None:
        self.deployment = deployment
        self.now = now
        self.conditions: list[Obj] = list((deployment.get("status") or {}).get("conditions") or ())
        self.new: Obj | None = None
        self.old: list[Obj] = []
        self.actions: list[Action] = []
        self.annotations: dict[str, str] = {}
        self._touched: set[str] = set()

    @property
    def replicas(self) -> int:
        """Return the replicas asked for."""
        return replicas_of(self.deployment)

    @property
    def all(self) -> list[Obj]:
        """Return every ReplicaSet, old ones first."""
        return [*self.old, self.new] if self.new is not None else list(self.old)

    @property
    def is_rolling(self) -> bool:
        """Say whether the strategy is RollingUpdate."""
        strategy: Obj = self.deployment["spec"].get("strategy") or {}
        return str(strategy.get("type", "RollingUpdate")) == "RollingUpdate"

    @property
    def fenceposts(self) -> tuple[int, int]:
        """Return maxSurge and maxUnavailable in pods, as ResolveFenceposts."""
        if not self.is_rolling:
            return 0, 0
        given = (self.deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
        surge = scaled(given.get("maxSurge", "25%"), self.replicas, round_up=True)
        unavailable = scaled(given.get("maxUnavailable", "25%"), self.replicas, round_up=False)
        if not surge and not unavailable:
            unavailable = 1  # rounding made both zero: something must give
        return surge, unavailable

    @property
    def max_surge(self) -> int:
        """Return how many pods above the asked number may exist."""
        return self.fenceposts[0]

    @property
    def max_unavailable(self) -> int:
        """Return how many pods may be missing, as MaxUnavailable: never more than there are."""
        if not self.is_rolling or self.replicas == 0:
            return 0
        return min(self.fenceposts[1], self.replicas)

    def claim(self, owned: Iterable[Obj], adoptable: Iterable[Obj], selector: Matcher) -> list[Obj]:
        """Adopt what matches, release what no longer does, return what is the Deployment's."""
        mine: list[Obj] = []
        for rs in owned:
            if selector.matches(labels_of(rs)):
                mine.append(rs)
            elif not is_deleting(self.deployment):
                self.actions.append(release(REPLICASETS, self.deployment, rs))
        for rs in adoptable:
            patch = adopt(REPLICASETS, self.deployment, rs)
            self.actions.append(patch)
            self._touched.add(rs["metadata"]["name"])
            mine.append(evolve(rs, {"metadata": {"ownerReferences": patch.patch["metadata"]["ownerReferences"]}}))
        return sorted(mine, key=by_age)

    def change(self, rs: Obj, changes: Obj) -> Obj:
        """Patch a ReplicaSet; return it as it will be. The first patch fails if it has changed since."""
        name = rs["metadata"]["name"]
        body = changes
        if name not in self._touched and rs["metadata"].get("resourceVersion"):
            body = evolve(changes, {"metadata": {"resourceVersion": rs["metadata"]["resourceVersion"]}})
        self._touched.add(name)
        self.actions.append(Patch(REPLICASETS, key_of(rs), body))
        if "spec" in changes:
            generation = rs["metadata"].get("generation", 0) + 1
            changes = evolve(changes, {"metadata": {"generation": generation}})
        changed = evolve(rs, changes)
        if self.new is not None and self.new["metadata"]["name"] == name:
            self.new = changed
        self.old = [changed if known["metadata"]["name"] == name else known for known in self.old]
        return changed

    def create(self, rs: Obj) -> None:
        """Create the new ReplicaSet."""
        self.actions.append(Create(REPLICASETS, rs))
        self.new = rs

    def scale(self, rs: Obj, size: int) -> bool:
        """Scale a ReplicaSet; say whether its size changed."""
        return replicas_of(rs) != size and self.resize(rs, size)

    def resize(self, rs: Obj, size: int) -> bool:
        """Bring a ReplicaSet and, even at the same size, its annotations up to date, as scaleReplicaSet."""
        before = replicas_of(rs)
        marks = self.size_marks()
        known = rs["metadata"].get("annotations") or {}
        stale = {name: value for name, value in marks.items() if known.get(name) != value}
        if before == size and not stale:
            return False
        changes: Obj = {}
        if stale:
            changes["metadata"] = {"annotations": stale}
        if before != size:
            changes["spec"] = {"replicas": size}
        self.change(rs, changes)
        if before == size:
            return False
        direction = "up" if before < size else "down"
        name = rs["metadata"]["name"]
        self.emit("ScalingReplicaSet", f"Scaled {direction} replica set {name} from {before} to {size}")
        return True

    def size_marks(self) -> dict[str, str]:
        """Return the annotations that tell a ReplicaSet how large the Deployment wants to be."""
        return {DESIRED_REPLICAS: str(self.replicas), MAX_REPLICAS: str(self.replicas + self.max_surge)}

    def emit(self, reason: str, message: str, type_: str = "Normal") -> None:
        """Record an event about the Deployment."""
        self.actions.append(Emit(self.deployment, type_, reason, message))

    def annotate(self, name: str, value: str) -> None:
        """Set an annotation of the Deployment; it is written with the status, as upstream does.

        A write to the Deployment itself would count as a change of its generation.
        """
        if (self.deployment["metadata"].get("annotations") or {}).get(name) == value:
            return
        self.annotations[name] = value
        self.deployment = evolve(self.deployment, {"metadata": {"annotations": {name: value}}})

    def condition(self, type_: str) -> Obj | None:
        """Return the condition of that type as it is now."""
        return next((found for found in self.conditions if found["type"] == type_), None)

    def set_condition(self, type_: str, status: str, reason: str, message: str) -> None:
        """Set a condition by upstream's rule, see :func:`set_condition`."""
        self.conditions = set_condition(self.conditions, new_condition(type_, status, reason, message, self.now))

    def drop_condition(self, type_: str) -> None:
        """Take a condition out."""
        self.conditions = [found for found in self.conditions if found["type"] != type_]

    def decision(self, wake_at: float | None = None) -> Decision:
        """Return what has been decided."""
        return Decision(tuple(self.actions), wake_at)


def new_condition(type_: str, status: str, reason: str, message: str, now: float) -> Obj:
    """Return a condition that came to be now."""
    at = rfc3339(now)
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def set_condition(conditions: Iterable[Obj], new: Obj) -> list[Obj]:
    """Return the conditions with ``new``, as SetDeploymentCondition.

    The same status and reason again change nothing; the same status keeps its transition time.
    """
    known = list(conditions)
    current = next((found for found in known if found["type"] == new["type"]), None)
    if current and current["status"] == new["status"] and current.get("reason") == new.get("reason"):
        return known
    if current and current["status"] == new["status"]:
        new = {**new, "lastTransitionTime": current.get("lastTransitionTime", new["lastTransitionTime"])}
    return [*(found for found in known if found["type"] != new["type"]), new]


def replicas_of(obj: Obj) -> int:
    """Return ``spec.replicas``, 1 when it is not said."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def total(replicasets: Iterable[Obj]) -> int:
    """Return the sum of the replicas asked of the ReplicaSets."""
    return sum(map(replicas_of, replicasets))


def counted(replicasets: Iterable[Obj], field: str) -> int:
    """Return the sum of a status field."""
    return sum((rs.get("status") or {}).get(field) or 0 for rs in replicasets)


def active(replicasets: Iterable[Obj]) -> list[Obj]:
    """Return the ReplicaSets that are asked for pods."""
    return [rs for rs in replicasets if replicas_of(rs) > 0]


def by_age(rs: Obj) -> tuple[Any, ...]:
    """Order by creation, equals by name, as ReplicaSetsByCreationTimestamp.

    One made in this very sync has no time yet and is the youngest.
    """
    meta = rs["metadata"]
    return (meta.get("creationTimestamp") or "~", meta["name"])
