"""kube-scheduler as a control loop: pending pods in, bindings, conditions and Events out.

The loop keeps its own picture of nodes and pods (``cluster.py``) and its queue, both fed by watch events. A
step takes a bounded number of pods, decides for each in turn (a placed pod counts at once), binds the
placed ones together and then reports the refused ones. A pod that does not fit is not tried again until
an event may help it, so the loop comes to rest. Upstream tries it again after five minutes in any case; here
that happens only while time is asked to pass, and only if anything has changed since.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import chain

from kctl.api.clock import parse_time
from kctl.api.deviceclaims import CLAIMS
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import STATUS, Caches, Change, Move
from kctl.client.client import Client
from kctl.scheduler import hints
from kctl.scheduler.cluster import Cluster, started
from kctl.scheduler.config import Configuration
from kctl.scheduler.explain import describe, fill
from kctl.scheduler.framework import Outcome
from kctl.scheduler.hints import Event
from kctl.scheduler.kernel import Placed
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.dynamic_resources_hints import RESOURCES as DEVICE_RESOURCES
from kctl.scheduler.plugins.dynamic_resources_hints import device_event
from kctl.scheduler.podinfo import PodInfo, is_terminal, reports_resources
from kctl.scheduler.prebind import PREEMPTED, PreBinding, Waiting
from kctl.scheduler.queue import Queued, SchedulingQueue
from kctl.scheduler.report import Reporter
from kctl.scheduler.schedulers import Schedulers
from kctl.scheduler.volume_hints import storage_events
from kctl.scheduler.volumes import RESOURCES as VOLUME_RESOURCES

PODS_A_STEP = 256
REMEMBERED = 512
"""So many decisions are remembered for explanations."""


class SchedulerLoop:
    """Schedules the pods that name one of the configured schedulers; others wait for ever."""

    name = "kube-scheduler"
    level = 30
    resources: tuple[str, ...] = (
        "pods",
        "nodes",
        "namespaces",
        "services",
        "replicationcontrollers",
        "replicasets.apps",
        "statefulsets.apps",
        "poddisruptionbudgets.policy",
        *VOLUME_RESOURCES,
        *DEVICE_RESOURCES,
    )

    def __init__(
        self, client: Client, caches: Caches, *, seed: int = 0, configuration: Configuration | None = None
    ) -> None:
        self.seed = seed
        self._client = client
        configuration = configuration or Configuration()
        self.schedulers = Schedulers(configuration, client, seed)
        self._cluster = Cluster(caches)
        backoff = (configuration.initial_backoff, configuration.max_backoff)
        self._queue = SchedulingQueue(self.schedulers.sort_key, *backoff)
        self._prebinding = PreBinding()
        self._now = 0.0
        self._arrived: dict[Key, Obj] = {}
        self._outcomes: dict[Key, Outcome | Placed] = {}
        self.tried: dict[Key, int] = {}
        """How often each pod was tried since it came; kept while the pod exists."""
        fill(self._cluster)
        for pod in caches["pods"].all():
            if self.schedulers.is_pending(pod):
                self._arrived[key_of(pod)] = pod

    # -- Loop

    def deliver(self, changes: Sequence[Change]) -> None:
        """Take notice of changes of nodes or pods; the other resources are read when needed."""
        resource = changes[0].event.resource
        if resource == "pods":
            self._pods_changed(changes)
        elif resource == "nodes":
            for change in changes:
                self._node_changed(change.old, change.new)
        elif resource in VOLUME_RESOURCES:
            self._storage_changed(resource, changes)
        elif resource in DEVICE_RESOURCES:
            self._devices_changed(resource, changes)

    def has_work(self) -> bool:
        """Say whether a pod waits to be decided about, or to be bound."""
        return bool(self._arrived) or self._queue.has_next() or self._prebinding.has_work()

    def step(self, now: float) -> int:
        """Decide for some pods, bind and report."""
        self._now = now
        self._take_in(now)
        bound, failed = self._prebinding.look(now)
        waited = {queued.pod.key for queued, _ in bound}
        for one in failed:
            self._prebind_failed(*one, now)
        refused: list[tuple[Queued, Outcome]] = []
        taken = len(failed)
        while taken + len(bound) + len(refused) < PODS_A_STEP:
            placed, queued = self._place_row(PODS_A_STEP - taken - len(bound) - len(refused))
            bound += placed
            if queued is None:
                if placed:
                    continue
                break
            framework, kernel, reporter = self.schedulers.of(queued.pod)
            outcome = kernel.explain(self._cluster, queued.pod)
            self._remember(outcome)
            if outcome.node:
                reservations = framework.reserve(self._cluster, queued.pod, outcome.node)
                self._cluster.nominate(queued.pod, "")
                self._cluster.place(queued.pod, outcome.node)
                if reservations:
                    reporter.expect(queued.pod.key, outcome.node, now)
                    waiting = Waiting(queued, outcome.node, reservations, now, framework.bind_timeout)
                    self._prebinding.begin(self._client, waiting)
                    taken += 1
                else:
                    bound.append((queued, outcome.node))
                continue
            self._queue.refused(queued, outcome.plugins, now)
            refused.append((queued, outcome))
            if outcome.preemption is not None and outcome.preemption.node:
                break  # the others decide when the victims are on their way out
        self._bind(bound, now, waited)
        for queued, outcome in refused:
            self._report(queued, outcome, now)
        return taken + len(bound) + len(refused)

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return when the next back-off after an API error ends, or a pod looks at its volumes.

        Unschedulable pods have a timer only while time is asked to pass.
        """
        leftover = self._queue.next_leftover() if periodic else None
        times = (self._queue.next_wake(), self._prebinding.next_wake(periodic=periodic), leftover)
        return min((at for at in times if at is not None), default=None)

    def wake(self, now: float) -> None:
        """Bring back the pods whose back-off has ended, and let waiting ones look."""
        self._now = now
        self._queue.wake(now)
        self._queue.flush(now)
        self._prebinding.wake(now)

    # -- for explanations

    def decision(self, key: Key) -> Obj | None:
        """Return the last decision for a pod, as :func:`kctl.scheduler.explain.explain`; None when forgotten."""
        outcome = self._outcomes.get(key)
        if outcome is None:
            return None
        found = outcome.recall() if isinstance(outcome, Placed) else outcome
        return None if found is None else describe(found)

    def _remember(self, outcome: Outcome | Placed) -> None:
        self._outcomes.pop(outcome.pod.key, None)
        self._outcomes[outcome.pod.key] = outcome
        if len(self._outcomes) > REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]

    # -- deciding

    def _place_row(self, most: int) -> tuple[list[tuple[Queued, str]], Queued | None]:
        """Place the next pods the fast way, as far as it goes; return them, and the pod it left to the plain way."""
        row: list[Queued] = []
        one = len(self.schedulers.by_name) == 1

        def pods() -> Iterator[PodInfo]:
            while len(row) < most and (one or not row):
                queued = self._queue.pop()
                if queued is None:
                    return
                row.append(queued)
                self.tried[queued.pod.key] = self.tried.get(queued.pod.key, 0) + 1
                yield queued.pod

        cluster, at = self._cluster, self._cluster.journal.end
        feed = pods()
        first = next(feed, None)
        if first is None:
            return [], None
        kernel = self.schedulers.of(first).kernel
        nodes = kernel.schedule_many(cluster, chain((first,), feed), pending=len(self._queue))
        placed = list(zip(row, nodes, strict=False))
        for n, (queued, node) in enumerate(placed[-REMEMBERED:], start=max(0, len(placed) - REMEMBERED)):
            self._remember(kernel.placed(cluster, queued.pod, node, queued.pod.obj, at + n))
        return placed, row[-1] if len(row) > len(nodes) else None

    def _take_in(self, now: float) -> None:
        """Queue the pods that arrived, gated ones aside."""
        arrived, self._arrived = self._arrived, {}
        for key in sorted(arrived):
            pod = self._cluster.templates.info(arrived[key])
            created = pod.obj["metadata"].get("creationTimestamp")
            queued = self._queue.add(pod, parse_time(created) if created else now)
            framework, _, reporter = self.schedulers.of(pod)
            gated = framework.gated(pod, self._cluster)
            if gated is not None:
                self._queue.gate(queued, gated.plugins)
                self._remember(gated)
                if pod.spec.get("schedulingGates"):  # upstream tells of no other reason
                    reporter.gated(pod, gated, now)

    def _bind(self, bound: list[tuple[Queued, str]], now: float, waited: Container[Key]) -> None:
        """Bind pods, some of which have waited for volumes, together; when that fails, one by one.

        One refusal stops no other.
        """
        if not bound:
            return
        bindings = [self.schedulers.of(queued.pod).framework.binding(queued.pod, node) for queued, node in bound]
        failed: set[Key] = set()
        try:
            self._client.bind_many(bindings)
        except StatusError:
            failed = {b[0] for b in bindings if not self._bind_one(*b)}
        placed: dict[int, tuple[Reporter, list[tuple[PodInfo, str]]]] = {}
        for queued, node in bound:
            if queued.pod.key in failed:
                self._cluster.remove_pod(queued.pod.key)
                queued.pod.node_name = ""
                self._queue.failed(queued, now)
            else:
                self._queue.remove(queued.pod.key)
                reporter = self.schedulers.of(queued.pod).reporter
                placed.setdefault(id(reporter), (reporter, []))[1].append((queued.pod, node))
                if queued.pod.nominated or queued.pod.key in waited:
                    reporter.withdraw(queued.pod.key, now)
        for reporter, pods in placed.values():
            reporter.scheduled(pods, now)

    def _bind_one(self, key: Key, uid: str, node: str) -> bool:
        """Bind one pod; True also when it is bound to that node already."""
        try:
            self._client.bind(key, uid, node)
        except StatusError as refusal:
            if refusal.reason != "Conflict":
                return False
            try:
                pod = self._client.get("pods", key.namespace, key.name)
            except StatusError:
                return False
            return bool(pod["spec"].get("nodeName") == node and pod["metadata"]["uid"] == uid)
        return True

    def _prebind_failed(self, queued: Queued, why: str, now: float) -> None:
        """Schedule a pod again, after its back-off, whose volumes were not bound."""
        pod, reporter = queued.pod, self.schedulers.of(queued.pod).reporter
        self._give_back(pod)
        pod.node_name = ""
        self._queue.failed(queued, now)
        outcome = Outcome(pod, reason="SchedulerError", message=why)
        self._remember(outcome)
        reporter.withdraw(pod.key, now)
        reporter.unschedulable(pod, outcome, None, now, again=queued.attempts > 1)

    def _give_back(self, pod: PodInfo) -> None:
        """Free the place of a pod that was to be bound: it may be another's."""
        self._cluster.remove_pod(pod.key)
        self._happened(Event(hints.POD_DELETE, old_pod=pod))

    def _report(self, queued: Queued, outcome: Outcome, now: float) -> None:
        """Write why a pod does not fit, and carry a preemption out."""
        preemption = outcome.preemption
        pod = queued.pod
        reporter = self.schedulers.of(pod).reporter
        nominated: str | None = None
        if preemption is not None and preemption.actions:
            reporter.do(preemption.actions, now)
        if preemption is not None and preemption.node:
            nominated = preemption.node
            self._cluster.nominate(pod, nominated)
            lower = [p for p in self._cluster.nominated.get(nominated, {}).values() if p.priority < pod.priority]
            unbound = [victim.key for victim in preemption.victims if victim.key in self._prebinding]
            reporter.preempt(pod, nominated, preemption.victims, lower, now, unbound)
            for victim in filter(None, map(self._prebinding.abandon, unbound)):
                self._prebind_failed(victim, PREEMPTED, now)
        elif preemption is None or preemption.clears:
            self._cluster.nominate(pod, "")
            nominated = ""
        reporter.unschedulable(pod, outcome, nominated, now, again=queued.attempts > 1)

    # -- events

    def _pods_changed(self, changes: Sequence[Change]) -> None:
        """Take in changes of pods. How placed ones fare nobody waits to hear of, and is judged once for those alike."""
        placed, waiting = self._cluster.pods, self._queue.unschedulable
        plain: dict[Move, bool] = {}
        for change in changes:
            old, new, alike = change.old, change.new, change.alike
            known = placed.get(change.key) if change.parts == STATUS and not waiting else None
            if known is None or new is None or known.obj is not old or not new["spec"].get("nodeName"):
                self._pod_changed(change.key, old, new)
                continue
            is_plain = plain.get(alike) if alike is not None else False
            if is_plain is None and alike is not None:
                ends = is_terminal(new) or reports_resources(new) or reports_resources(old)
                is_plain = plain[alike] = not ends and started(old) == started(new)
            if is_plain and known.node_name == new["spec"]["nodeName"]:
                self._cluster.put_status(known, new)
            else:
                self._cluster.put_pod(new)

    def _pod_changed(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Bring cluster and queue up to date, and wake the pods that may profit."""
        if old is not None and new is not None and old["metadata"].get("uid") != new["metadata"].get("uid"):
            self._pod_changed(key, old, None)
            old = None
        was, now_is = is_assigned(old), is_assigned(new)
        if was or now_is:
            self._assigned_changed(key, old if was else None, new if now_is else None)
        if new is not None and self.schedulers.is_pending(new):
            self._pending_changed(key, new)
            return
        self._arrived.pop(key, None)
        queued = self._queue.remove(key)
        waited = self._prebinding.abandon(key)
        if waited is not None and not now_is:
            self._give_back(waited.pod)
        if new is None:
            self._outcomes.pop(key, None)
            self.tried.pop(key, None)
        if queued is not None:
            self._cluster.nominate(queued.pod, "")
            if not now_is and queued.pod.nominated:
                self._happened(Event(hints.POD_DELETE, old_pod=queued.pod), queued.pod.priority)

    def _assigned_changed(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Take in a change of a pod on a node."""
        waiting = bool(self._queue.unschedulable)
        before = PodInfo(old) if waiting and old is not None else None
        if new is None:
            self._cluster.remove_pod(key)
        else:
            self._cluster.put_pod(new)
        if not waiting:
            return
        after = PodInfo(new) if new is not None else None
        if before is None:
            self._happened(Event(hints.POD_ADD, new_pod=after))
        elif after is None:
            self._happened(Event(hints.POD_DELETE, old_pod=before))
        else:
            for kind in hints.pod_events(before, after):
                self._happened(Event(kind, old_pod=before, new_pod=after))

    def _pending_changed(self, key: Key, new: Obj) -> None:
        """Take in a new or changed pending pod; its own changes may make it worth another try."""
        queued = self._queue.get(key)
        if key in self._cluster.pods:
            return  # assumed: the event of its binding is still to come
        if queued is None:
            self._arrived[key] = new
            return
        before, pod = queued.pod, self._cluster.templates.info(new)
        queued.pod = pod
        if before.nominated != pod.nominated:
            self._cluster.nominate(pod, pod.nominated)
            if before.nominated:
                self._happened(Event(hints.POD_DELETE, old_pod=before), before.priority)
        elif pod.nominated:
            self._cluster.nominate(pod, pod.nominated)
        if queued.place not in ("unschedulable", "gated"):
            return
        framework = self.schedulers.of(pod).framework
        for kind in hints.pod_events(before, pod):
            event = Event(kind, old_pod=before, new_pod=pod)
            if hints.worth_trying(self._cluster, pod, queued.plugins, event, framework):
                self._ungate(queued)
                break

    def _node_changed(self, old: Obj | None, new: Obj | None) -> None:
        """Take in a change of a node."""
        if new is not None:
            self._cluster.put_node(new)
        elif old is not None:
            self._cluster.remove_node(old["metadata"]["name"])
            self._prebinding.node_gone(old["metadata"]["name"])
        if not self._queue.unschedulable:
            return
        before, after = bare(old), bare(new)
        if old is None or new is None:
            self._happened(Event(hints.NODE_ADD if old is None else hints.NODE_DELETE, before, after))
            return
        for kind in hints.node_events(old, new):
            self._happened(Event(kind, before, after))

    def _storage_changed(self, resource: str, changes: Sequence[Change]) -> None:
        """Take in changes of volumes, claims and what is known of storage."""
        self._prebinding.changed(resource, [change.key for change in changes])
        if not self._queue.unschedulable:
            return
        for change in changes:
            for kind in storage_events(resource, change.old, change.new):
                self._happened(Event(kind, old_obj=change.old, new_obj=change.new))

    def _devices_changed(self, resource: str, changes: Sequence[Change]) -> None:
        """Take in changes of claims for devices, of classes and of what is on offer."""
        if resource == CLAIMS:
            self._prebinding.changed(resource, [change.key for change in changes])
            for change in changes:
                self._cluster.devices.heard(change.key)
        for change in changes:
            kind = device_event(resource, change.old, change.new)
            if kind and self._queue.unschedulable:
                self._happened(Event(kind, old_obj=change.old, new_obj=change.new))
        for queued in list(self._queue.gated.values()):
            if queued.pod.spec.get("resourceClaims"):
                self._ungate(queued)

    def _ungate(self, queued: Queued) -> None:
        """Bring a pod back unless it is still to be kept out."""
        gated = self.schedulers.of(queued.pod).framework.gated(queued.pod, self._cluster)
        if gated is None:
            self._queue.requeue(queued, self._now)
        elif queued.place == "gated":
            queued.plugins = gated.plugins

    def _happened(self, event: Event, at_most: float = float("inf")) -> None:
        """Requeue the unschedulable pods, of a priority up to ``at_most``, that the event may help."""
        self._queue.changes += 1
        for queued in self._queue.refused_by(hints.interested(event.kind)):
            pod = queued.pod
            if pod.priority > at_most:
                continue
            framework = self.schedulers.of(pod).framework
            if hints.worth_trying(self._cluster, pod, queued.plugins, event, framework):
                self._queue.requeue(queued, self._now)


def bare(node: Obj | None) -> NodeInfo | None:
    """Return a node without its pods."""
    if node is None:
        return None
    info = NodeInfo(node["metadata"]["name"])
    info.set_node(node)
    return info


def is_assigned(pod: Obj | None) -> bool:
    """Say whether the pod takes room on a node."""
    return pod is not None and bool(pod["spec"].get("nodeName")) and not is_terminal(pod)
