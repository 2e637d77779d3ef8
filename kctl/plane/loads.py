"""What pods use under the loads of scenarios, as a metrics server would measure it.

In: the scenarios that are played, Services and pods. Out: a source of resource metrics for autoscalers
(:class:`kctl.api.metrics.Metrics`). ``load`` in a formula is what reaches the workload: the loads on every Service
that selects the pod, and on what owns it; ``replicas`` are the pods that are ready to take a share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kctl.api.clock import parse_time
from kctl.api.metrics import Measured, Sample
from kctl.api.objects import Key, Obj, dig, is_condition_true, is_deleting, key_of, labels_of

if TYPE_CHECKING:
    from kctl.api.scenario.formulas import Formula
    from kctl.client.cache import Caches
    from kctl.plane.playing import Playing


class Loads(Measured):
    """Resource metrics of what scenarios and annotations say that pods use."""

    def __init__(self, playing: Playing, caches: Caches) -> None:
        from kctl.api.behaviour import Annotated

        super().__init__(Annotated(playing))
        self._playing = playing
        self._caches = caches

    def knows(self, pods: Sequence[Obj]) -> bool:
        """Say whether the use of one of the pods is said."""
        return any(self._formulas(pod, name, "") for pod in pods for name in ("cpu", "memory")) or super().knows(pods)

    def resource(
        self, name: str, namespace: str, pods: Sequence[Obj], container: str, now: float
    ) -> Mapping[str, Sample]:
        """Return what running pods use of ``cpu`` or ``memory``, in thousandths."""
        if not any(self._formulas(pod, name, container) for pod in pods):
            return super().resource(name, namespace, pods, container, now)
        ready = sum(1 for pod in pods if is_condition_true(pod, "Ready") and not is_deleting(pod))
        loads = self._playing.loads()
        found = {}
        for pod in pods:
            formulas = self._formulas(pod, name, container)
            if not formulas or dig(pod, "status", "phase") != "Running":
                continue
            values = {"load": self._load(pod, loads), "replicas": float(max(ready, 1)), "seconds": _age(pod, now)}
            found[pod["metadata"]["name"]] = Sample(
                round(sum(formula.value(values) for formula in formulas) * 1000), now
            )
        return found

    def _formulas(self, pod: Obj, name: str, container: str) -> list[Formula]:
        """Return the formula of each container of a pod that has one."""
        return self._playing.usage(pod, name, container)

    def _load(self, pod: Obj, loads: Mapping[str, float]) -> float:
        """Return the requests a second that reach the workload of a pod."""
        from kctl.api import selectors
        from kctl.api.scenario.matching import owners_of

        namespace, total = key_of(pod).namespace, 0.0
        owners = {f"{namespace}/{kind}/{name}" for kind, name in owners_of(pod)}
        for target, rps in loads.items():
            where, kind, name = target.split("/", 2)
            if target in owners:
                total += rps
            elif where == namespace and kind in ("service", "svc", "services"):
                service = self._caches["services"].get(Key(namespace, name))
                selector = dig(service, "spec", "selector")
                if selector and selectors.from_labels(selector).matches(labels_of(pod)):
                    total += rps
        return total


def _age(pod: Obj, now: float) -> float:
    """Return for how many seconds the pod has been running."""
    started = dig(pod, "status", "startTime")
    return max(0.0, now - parse_time(started)) if started else 0.0
