"""What the scheduler writes about its decisions: conditions, nominations, Events, and victims' deletion.

In: outcomes. Out: writes through the client, only where something changes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition, with_condition
from kctl.client.client import Client
from kctl.runtime.actions import Action, Delete, Emit, Patch
from kctl.scheduler.framework import Outcome
from kctl.scheduler.podinfo import PodInfo


class Reporter:
    """Writes as one scheduler."""

    def __init__(self, client: Client, component: str) -> None:
        self._client = client
        self._component = component

    def scheduled(self, placed: Sequence[tuple[PodInfo, str]], now: float) -> None:
        """Record the Events of bindings."""
        from kctl.runtime.events import Recorder

        texts = [f"Successfully assigned {pod.namespace}/{pod.key.name} to {node}" for pod, node in placed]
        events = [
            Emit(pod.obj, "Normal", "Scheduled", text, "Binding") for (pod, _), text in zip(placed, texts, strict=True)
        ]
        Recorder(self._client, now=now, component=self._component).record_all(events)

    def expect(self, key: Key, node: str, now: float) -> None:
        """Tell where a pod will be that waits for its volumes (NominatedNodeNameForExpectation)."""
        self.do([status_patch(key, {"nominatedNodeName": node})], now)

    def withdraw(self, key: Key, now: float) -> None:
        """Clear the nomination of a pod: when it is bound (the API server of 1.36 does), or gave its node back."""
        self.do([status_patch(key, {"nominatedNodeName": None})], now)

    def gated(self, pod: PodInfo, outcome: Outcome, now: float) -> None:
        """Write the condition of a pod that its gates keep out."""
        status = changed_status(pod.obj, outcome.reason, outcome.message, None, now)
        if status:
            self.do([status_patch(pod.key, status)], now)

    def unschedulable(self, pod: PodInfo, outcome: Outcome, nominated: str | None, now: float, *, again: bool) -> None:
        """Write why a pod does not fit; ``nominated`` None leaves the nomination as it is.

        The Event is recorded when the condition changes, or when the pod was tried ``again`` (then it counts).
        """
        status = changed_status(pod.obj, outcome.reason, outcome.message, nominated, now)
        actions: list[Action] = [status_patch(pod.key, status)] if status else []
        if again or "conditions" in status:
            actions.append(Emit(pod.obj, "Warning", "FailedScheduling", outcome.message, "Scheduling"))
        self.do(actions, now)

    def preempt(
        self,
        pod: PodInfo,
        node: str,
        victims: Iterable[PodInfo],
        outranked: Iterable[PodInfo],
        now: float,
        unbound: Container[Key] = (),
    ) -> None:
        """Delete the victims and withdraw nominations of lower priority to the same node.

        When all victims are on their way out already, there is nothing to do and nominations stay. Victims that
        are ``unbound`` yet are spared: they only lose their place.
        """
        left = [victim for victim in victims if not victim.terminating]
        if not left:
            return
        actions: list[Action] = [
            status_patch(other.key, {"nominatedNodeName": None}) for other in outranked if other.key != pod.key
        ]
        for victim in left:
            actions += self._preempt_one(pod, node, victim, now, in_memory=victim.key in unbound)
        self.do(actions, now)

    def _preempt_one(self, pod: PodInfo, node: str, victim: PodInfo, now: float, *, in_memory: bool) -> list[Action]:
        message = f"Preempted by pod {pod.uid} on node {node}"
        if in_memory:
            return [Emit(victim.obj, "Normal", "Preempted", message + " (in kube-scheduler memory).", "Preempting")]
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{self._component}: preempting to accommodate a higher priority pod",
        }
        status = {"conditions": updated_conditions(victim.obj, target, now)}
        return [
            status_patch(victim.key, status),
            Delete("pods", victim.key, victim.uid),
            Emit(victim.obj, "Normal", "Preempted", message, "Preempting"),
        ]

    def do(self, actions: Iterable[Action], now: float) -> None:
        """Carry actions out; a pod that is gone or changed meanwhile is decided about again by its event."""
        from kctl.runtime.act import carry_out

        for action in actions:
            try:
                carry_out(self._client, (action,), now=now, component=self._component)
            except StatusError as refusal:
                if refusal.reason not in ("NotFound", "Conflict"):
                    raise


def status_patch(key: Key, status: Obj) -> Patch:
    """Return the patch of a pod's status."""
    return Patch("pods", key, {"status": status}, "merge", "status")


def changed_status(pod: Obj, reason: str, message: str, nominated: str | None, now: float) -> Obj:
    """Return what changes of the status, empty for nothing."""
    status: Obj = {}
    wanted = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    old = condition(pod, "PodScheduled")
    if old is None or any(old.get(field) != value for field, value in wanted.items()):
        status["conditions"] = updated_conditions(pod, wanted, now)
    if nominated is not None:
        known = (pod.get("status") or {}).get("nominatedNodeName") or ""
        if known != nominated:
            status["nominatedNodeName"] = nominated or None
    return status


def updated_conditions(pod: Obj, wanted: Obj, now: float) -> list[Obj]:
    """Return the pod's conditions with one set, as UpdatePodCondition."""
    old = condition(pod, wanted["type"])
    same = old is not None and old.get("status") == wanted["status"]
    since = old["lastTransitionTime"] if old is not None and same and "lastTransitionTime" in old else rfc3339(now)
    new = {"type": wanted["type"], "status": wanted["status"], "lastProbeTime": None, "lastTransitionTime": since}
    generation = pod["metadata"].get("generation")
    if generation:
        new["observedGeneration"] = generation
    new |= {"reason": wanted["reason"], "message": wanted["message"]}
    return with_condition((pod.get("status") or {}).get("conditions") or (), new)
