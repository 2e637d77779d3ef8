"""What the metrics APIs answer: resource metrics, custom metrics, external metrics.

A :class:`Metrics` is asked by the autoscaler. What is not there is a :class:`MetricsError` in the words of the
client that asked; a cluster without a metrics server is :class:`NoMetrics`. Values are thousandths,
as upstream counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kctl.api.objects import Obj, dig

if TYPE_CHECKING:
    from kctl.api.behaviour import Behaviours, ContainerBehaviour


class MetricsError(Exception):
    """A metric cannot be had; the text says why."""


class Sample(NamedTuple):
    """A measured value in thousandths: until when, and over how many seconds it was measured."""

    value: int
    at: float
    window: float = 0.0


class Metrics(Protocol):
    """A source of metrics. It must answer the same question at the same instant the same."""

    def knows(self, pods: Sequence[Obj]) -> bool:
        """Say whether anything is, or will be, measured that concerns these pods: a run then waits for it."""
        ...

    def resource(
        self, name: str, namespace: str, pods: Sequence[Obj], container: str, now: float
    ) -> Mapping[str, Sample]:
        """Return what pods use of ``cpu`` or ``memory``, by pod name; of one ``container`` unless that is "".

        Pods of which nothing is known are left out. MetricsError when there is no such API.
        """
        ...

    def pods(
        self, name: str, namespace: str, pods: Sequence[Obj], selector: Obj | None, now: float
    ) -> Mapping[str, Sample]:
        """Return a custom metric of each pod, by pod name; MetricsError when there is none."""
        ...

    def object(self, name: str, namespace: str, described: Obj, selector: Obj | None, now: float) -> int:
        """Return a custom metric of the object that ``described`` refers to; MetricsError when there is none."""
        ...

    def external(self, name: str, namespace: str, selector: Obj | None, now: float) -> Sequence[int]:
        """Return the values of an external metric; MetricsError when there are none."""
        ...


class NoMetrics:
    """A cluster in which nobody installed a metrics API."""

    def knows(self, pods: Sequence[Obj]) -> bool:
        """Say that nothing is measured."""
        return False

    def resource(
        self, name: str, namespace: str, pods: Sequence[Obj], container: str, now: float
    ) -> Mapping[str, Sample]:
        """Say that metrics.k8s.io is not served."""
        raise MetricsError(
            "unable to fetch metrics from resource metrics API: the server could not find the requested resource "
            "(get pods.metrics.k8s.io)"
        )

    def pods(
        self, name: str, namespace: str, pods: Sequence[Obj], selector: Obj | None, now: float
    ) -> Mapping[str, Sample]:
        """Say that custom.metrics.k8s.io is not served."""
        raise MetricsError(
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
        )

    def object(self, name: str, namespace: str, described: Obj, selector: Obj | None, now: float) -> int:
        """Say that custom.metrics.k8s.io is not served."""
        raise MetricsError(
            "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
        )

    def external(self, name: str, namespace: str, selector: Obj | None, now: float) -> Sequence[int]:
        """Say that external.metrics.k8s.io is not served."""
        raise MetricsError(
            "unable to fetch metrics from external metrics API: the server could not find the requested resource "
            f"(get {name}.external.metrics.k8s.io)"
        )


class Measured(NoMetrics):
    """Resource metrics of what pods are said to use; where nothing is said there is no metrics API."""

    def __init__(self, world: Behaviours) -> None:
        self._world = world

    def knows(self, pods: Sequence[Obj]) -> bool:
        """Say whether the use of one of the pods is said."""
        return any(used(self._world, pod, name, "") is not None for pod in pods for name in ("cpu", "memory"))

    def resource(
        self, name: str, namespace: str, pods: Sequence[Obj], container: str, now: float
    ) -> Mapping[str, Sample]:
        """Return what running pods are said to use."""
        if not self.knows(pods):
            return super().resource(name, namespace, pods, container, now)
        running = [pod for pod in pods if dig(pod, "status", "phase") == "Running"]
        found = ((pod["metadata"]["name"], used(self._world, pod, name, container)) for pod in running)
        return {pod: Sample(value, now) for pod, value in found if value is not None}


def used(world: Behaviours, pod: Obj, resource: str, container: str) -> int | None:
    """Return what a pod, or one container of it, is said to use, in thousandths; None when nothing is said."""
    behaviour = world.pod(pod)
    if behaviour is None:
        return None
    sidecars = [one for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"]
    names = [one["name"] for one in (*pod["spec"]["containers"], *sidecars)]
    said = [_of(behaviour.of(name), resource) for name in names if container in ("", name)]
    return sum(value or 0 for value in said) if any(value is not None for value in said) else None


def _of(does: ContainerBehaviour, resource: str) -> int | None:
    if resource == "cpu":
        return does.cpu
    value = does.memory if resource == "memory" else does.disk if resource == "ephemeral-storage" else None
    return None if value is None else value * 1000
