"""horizontal-pod-autoscaler-controller: as many pods as metrics ask for.

In: autoscalers, the scale of their targets, pods, a source of metrics (:mod:`kctl.api.metrics`; without
one a cluster without a metrics server is simulated). Out: the target's scale, the status, events.
What a metric asks for is in :mod:`podautoscaler_metrics`, how fast the size may change in
:mod:`podautoscaler_limits`.

Upstream looks every 15 s. Here it is looked at every 15 s while time is made to pass; a run waits for
it only as long as something is under way: after a change of size, while the size is held back or pods
are yet to be measured. As upstream's, the controller remembers recommendations and changes of size
until it is restarted. Events of failures are told when the status changes, not every 15 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.metrics import Metrics, NoMetrics
from kctl.api.objects import Key, Obj, condition, dig, key_of, labels_of
from kctl.client.cache import SPEC, STATUS, Caches
from kctl.client.client import Client
from kctl.controllers.disruption_scale import CRDS
from kctl.controllers.podautoscaler_limits import READY, Memory, normalize, with_scaling
from kctl.controllers.podautoscaler_metrics import Answer, Asked, MetricFailure, ask
from kctl.controllers.podautoscaler_replicas import Tolerance
from kctl.controllers.podautoscaler_target import SCALABLE, Scale, TargetError, find
from kctl.controllers.pods import is_ready
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Action, Emit, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.events import Recorder

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
NO_METRICS = NoMetrics()
CPU_BY_DEFAULT: tuple[Obj, ...] = (
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
)


class Seen(NamedTuple):
    """What is decided on: the autoscaler, its target's scale or why there is none, the pods that are counted.

    ``rivals`` are autoscalers (name, namespace) of which some of the same pods are.
    """

    hpa: Obj
    scale: Scale | str
    pods: Sequence[Obj] = ()
    rivals: Sequence[tuple[str, str]] = ()
    metrics: Metrics = NO_METRICS
    memory: Memory = Memory()
    period: float = 15.0


class PodAutoscalerController(Controller):
    """Scales what HorizontalPodAutoscalers refer to."""

    name = "horizontal-pod-autoscaler-controller"
    component = "horizontal-pod-autoscaler"
    user = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
    level = 45
    reads = (AUTOSCALERS, "pods", *SCALABLE, CRDS)
    writes = (AUTOSCALERS, "*/scale", "events")

    def __init__(self) -> None:
        self.metrics: Metrics = NO_METRICS
        self._memory: dict[str, Memory] = {}
        self.watches = (
            Watch(AUTOSCALERS, keys_of_changed),
            *(Watch(resource, keys_of_target, SPEC | STATUS) for resource in SCALABLE),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the index of autoscalers by target."""
        caches[AUTOSCALERS].index("target", _target_values, on=SPEC)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the autoscaler, its target, the pods."""
        hpa = caches[AUTOSCALERS].get(key)
        if hpa is None:
            return None
        period, memory = self._period(), self._memory.get(hpa["metadata"]["uid"], Memory())
        try:
            scale = find(caches, key.namespace, hpa["spec"]["scaleTargetRef"])
        except TargetError as error:
            return Seen(hpa, str(error), metrics=self.metrics, memory=memory, period=period)
        pods: list[Obj] = []
        rivals: list[tuple[str, str]] = []
        if scale.selector is not None:
            near = caches["pods"].in_namespace(key.namespace)
            pods = [pod for pod in near if scale.selector.matches(labels_of(pod))]
            rivals = _rivals(caches, key, pods)
        return Seen(hpa, scale, pods, rivals, self.metrics, memory, period)

    def _period(self) -> float:
        return float(getattr(self.flags, "horizontal_pod_autoscaler_sync_period", 15.0))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what to do, see :func:`decide`, and remember what that takes for granted."""
        decision, memory = decide(seen, now)
        self._memory[seen.hpa["metadata"]["uid"]] = memory
        return decision

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; a scale that is refused is told and stands in the status."""
        recorder = Recorder(client, now=now, component=self.component)
        refused: StatusError | None = None
        for action in decision.actions:
            if isinstance(action, Update) and action.subresource == "scale":
                try:
                    carry_out_one(client, action, now=now, component=self.component)
                except StatusError as error:
                    refused = error
            elif refused is not None and isinstance(action, Emit) and action.reason == "SuccessfulRescale":
                self._memory.pop(action.regarding["metadata"]["uid"], None)
                note = f"{action.message}; error: {refused.message}"
                recorder.record(action._replace(type="Warning", reason="FailedRescale", message=note))
            else:
                if refused is not None and isinstance(action, Update):
                    action = _with_refusal(action, refused, now)
                carry_out_one(client, action, now=now, component=self.component, recorder=recorder)
        if refused is not None:
            raise refused


def _with_refusal(action: Update, refused: StatusError, now: float) -> Update:
    """Return the status write of a sync whose scale was refused."""
    status = action.obj["status"]
    message = f"the HPA controller was unable to update the target scale: {refused.message}"
    conditions = with_condition(
        status.get("conditions") or (), "AbleToScale", "False", "FailedUpdateScale", message, now
    )
    kept = {name: value for name, value in status.items() if name != "lastScaleTime"}
    kept |= {"conditions": conditions, "desiredReplicas": status.get("currentReplicas", 0)}
    return action._replace(obj={**action.obj, "status": kept})


def _rivals(caches: Caches, key: Key, pods: Sequence[Obj]) -> list[tuple[str, str]]:
    """Return the autoscalers that count some of the pods, when these are several."""
    found = []
    for hpa in caches[AUTOSCALERS].in_namespace(key.namespace):
        try:
            selector = find(caches, key.namespace, hpa["spec"]["scaleTargetRef"]).selector
        except TargetError:
            continue
        if selector is not None and any(selector.matches(labels_of(pod)) for pod in pods):
            found.append((key_of(hpa).name, key.namespace))
    return found if len(found) > 1 else []


class Draft:
    """The status in the making, as reconcileAutoscaler changes it on the way."""

    def __init__(self, hpa: Obj, now: float) -> None:
        self.hpa, self.now = hpa, now
        before = hpa.get("status") or {}
        self.conditions: list[Obj] = list(before.get("conditions") or ())
        self.status: Obj = {"desiredReplicas": 0, "currentMetrics": None, **before}
        self.told: list[Emit] = []

    def set(self, type_: str, status: str, reason: str, message: str) -> None:
        """Set a condition."""
        self.conditions = with_condition(self.conditions, type_, status, reason, message, self.now)

    def tell(self, reason: str, message: str, type_: str = "Warning") -> None:
        """Record an event if the status is written."""
        self.told.append(Emit(self.hpa, type_, reason, message))

    def size(self, current: int, desired: int, metrics: list[Obj] | None, *, rescaled: bool) -> None:
        """Set the numbers, as setStatus."""
        new: Obj = {"currentReplicas": current} if current else {}
        new |= {"desiredReplicas": desired, "currentMetrics": metrics}
        last = rfc3339(self.now) if rescaled else self.status.get("lastScaleTime")
        self.status = {**new, "lastScaleTime": last} if last else new

    def actions(self) -> list[Action]:
        """Return what writes the status, with the events; nothing when it stays the same."""
        new = {**self.status, "conditions": self.conditions} if self.conditions else self.status
        before = self.hpa.get("status") or {}
        if _plain(new) == _plain(before):
            return []
        return [*self.told, Update(AUTOSCALERS, {**self.hpa, "status": new}, "status")]


def _plain(status: Obj) -> Obj:
    """Return a status without what the API leaves out or fills in."""
    return {name: value for name, value in status.items() if value is not None}


def with_condition(
    conditions: Sequence[Obj], type_: str, status: str, reason: str, message: str, now: float
) -> list[Obj]:
    """Return the conditions with one set, as setConditionInList: in its place, with its time while its status stays."""
    old = next((found for found in conditions if found["type"] == type_), None)
    since = old["lastTransitionTime"] if old is not None and old["status"] == status else rfc3339(now)
    new = {"type": type_, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
    if old is None:
        return [*conditions, new]
    return [new if found is old else found for found in conditions]


def decide(seen: Seen, now: float) -> tuple[Decision, Memory]:
    """Say what one look at an autoscaler does, as reconcileAutoscaler, and what is remembered of it."""
    memory, scale = seen.memory, seen.scale
    due = now if memory.synced is None else memory.synced + seen.period
    if now < due and not _is_new(seen):
        return Decision((), due, periodic=not _is_under_way(seen)), memory
    memory = memory._replace(synced=now, saw=_sight(seen))
    draft = Draft(seen.hpa, now)
    if isinstance(scale, str):
        draft.tell("FailedGetScale", scale)
        message = f"the HPA controller was unable to get the target's current scale: {scale}"
        draft.set("AbleToScale", "False", "FailedGetScale", message)
        return Decision(tuple(draft.actions()), now + seen.period, periodic=True), memory
    return _scaled(seen, scale, draft, memory, now)


def _is_new(seen: Seen) -> bool:
    """Say whether the autoscaler has no status yet: it is looked at at once."""
    return not (seen.hpa.get("status") or {}).get("conditions")


def _is_under_way(seen: Seen) -> bool:
    """Say whether the next look may change something although no time is asked to pass."""
    sight, status = _sight(seen), seen.hpa.get("status") or {}
    if sight is None:
        return False
    return sight[0] != (status.get("currentReplicas") or 0) or (sight != seen.memory.saw and _is_measured(seen))


def _sight(seen: Seen) -> tuple[int, int, int] | None:
    """Return what there is to see of the target: replicas as asked and as there are, ready pods."""
    if isinstance(seen.scale, str):
        return None
    return seen.scale.wanted, seen.scale.there, sum(map(is_ready, seen.pods))


def _is_measured(seen: Seen) -> bool:
    return seen.metrics.knows(seen.pods)


class Choice(NamedTuple):
    """The size to scale to and why; whether the next look is to be waited for; what is shown of the metrics."""

    replicas: int
    why: str = ""
    waits: bool = False
    shown: list[Obj] | None = None


def _scaled(seen: Seen, scale: Scale, draft: Draft, memory: Memory, now: float) -> tuple[Decision, Memory]:
    """Compute the size and scale to it."""
    current = scale.wanted
    draft.set(
        "AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale"
    )
    if not memory.recommended and not _was_settled(seen.hpa):
        memory = memory._replace(recommended=((now, current),))
    choice, memory = _choose(seen, scale, draft, memory)
    if choice.replicas < 0:
        before = (seen.hpa.get("status") or {}).get("desiredReplicas") or 0
        draft.size(current, before, choice.shown, rescaled=False)
        draft.tell("FailedComputeMetricsReplicas", choice.why)
        return Decision(tuple(draft.actions()), now + seen.period, periodic=not choice.waits), memory
    desired, waits = choice.replicas, choice.waits
    actions: list[Action] = []
    if desired != current:
        message = f"the HPA controller was able to update the target scale to {desired}"
        draft.set("AbleToScale", "True", "SucceededRescale", message)
        draft.tell("SuccessfulRescale", f"New size: {desired}; reason: {choice.why}", "Normal")
        memory = with_scaling(memory, seen.hpa["spec"].get("behavior"), now, current, desired)
        actions.append(_scale_to(scale, desired))
        waits = True
    draft.size(current, desired, choice.shown, rescaled=desired != current)
    return Decision((*actions, *draft.actions()), now + seen.period, periodic=not waits), memory


def _was_settled(hpa: Obj) -> bool:
    """Say whether the size was not held back when it was last looked at, by a process that is gone.

    Upstream's would still be there: what it remembers has then held nothing back.
    """
    return (condition(hpa, "AbleToScale") or {}).get("reason") == READY[0]


def _choose(seen: Seen, scale: Scale, draft: Draft, memory: Memory) -> tuple[Choice, Memory]:
    """Return the size to scale to: into the range first, then as the metrics ask; -1 when these cannot be had."""
    spec, current = seen.hpa["spec"], scale.wanted
    least, most = spec.get("minReplicas"), spec["maxReplicas"]
    least = 1 if least is None else least
    if not current and least:
        message = "scaling is disabled since the replica count of the target is zero"
        draft.set("ScalingActive", "False", "ScalingDisabled", message)
        return Choice(current), memory
    if current > most:
        return Choice(most, "Current number of replicas above Spec.MaxReplicas"), memory
    if current < least:
        return Choice(least, "Current number of replicas below Spec.MinReplicas"), memory
    found = _recommended(seen, scale, draft)
    if found.replicas < 0:
        return Choice(-1, found.failure, False, found.shown), memory
    asked = found.replicas
    normal = normalize(spec.get("behavior"), memory, draft.now, current=current, desired=asked, least=least, most=most)
    draft.set("AbleToScale", "True", *normal.held)
    draft.set("ScalingLimited", "True" if normal.is_limited else "False", *normal.limited)
    why = f"{found.name} above target" if asked > current else "All metrics below target" if asked < current else ""
    waits = normal.replicas not in (asked, least, most) or normal.held != READY
    return Choice(normal.replicas, why, waits, found.shown), normal.memory


def _scale_to(scale: Scale, replicas: int) -> Update:
    meta = {"name": scale.key.name, "namespace": scale.key.namespace, "resourceVersion": scale.version}
    body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": {"replicas": replicas}}
    return Update(scale.resource, body, "scale")


class Found(NamedTuple):
    """What all metrics together ask for; -1 replicas and the failure when that cannot be said."""

    replicas: int
    name: str
    shown: list[Obj] | None
    failure: str = ""


def _recommended(seen: Seen, scale: Scale, draft: Draft) -> Found:
    """Ask every metric, the largest answer counts, as computeReplicasForMetrics."""
    if scale.selector is None:
        draft.tell("SelectorRequired", "selector is required")
        draft.set("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector")
        return Found(-1, "", None, "selector is required")
    if seen.rivals:
        text = " ".join(f"{{{name} {namespace}}}" for name, namespace in seen.rivals)
        failure = f"pods by selector {scale.selector} are controlled by multiple HPAs: [{text}]"
        draft.tell("AmbiguousSelector", failure)
        draft.set("ScalingActive", "False", "AmbiguousSelector", failure)
        return Found(-1, "", None, failure)
    specs = seen.hpa["spec"].get("metrics") or CPU_BY_DEFAULT
    key = key_of(seen.hpa)
    tolerance = _tolerance(seen.hpa["spec"].get("behavior") or {})
    asked = Asked(key.namespace, scale.wanted, scale.there, seen.pods, seen.metrics, tolerance, draft.now)
    shown: list[Obj] = []
    best: Answer | None = None
    failures: list[MetricFailure] = []
    for spec in specs:
        try:
            answer = ask(spec, asked)
        except MetricFailure as failure:
            failures.append(failure)
            shown.append({"type": ""})
            draft.tell(failure.reason, failure.note)
            continue
        shown.append(answer.status)
        if best is None or answer.replicas > best.replicas:
            best = answer
    if best is None or (failures and best.replicas < scale.wanted):
        first = failures[0]
        note = f"the HPA was unable to compute the replica count: {first.note}"
        draft.set("ScalingActive", "False", first.reason, note)
        whole = f"invalid metrics ({len(failures)} invalid out of {len(specs)}), first error is: {first.whole}"
        return Found(-1, "", shown, whole)
    message = f"the HPA was able to successfully calculate a replica count from {best.name}"
    draft.set("ScalingActive", "True", "ValidMetricFound", message)
    return Found(best.replicas, best.name, shown)


def _tolerance(behavior: Obj) -> Tolerance:
    """Return how far off a ratio may be, as the behavior or the default has it."""

    def given(name: str) -> float:
        text = dig(behavior, name, "tolerance")
        return 0.1 if text is None else quantity.milli(text) / 1000

    return Tolerance(given("scaleDown"), given("scaleUp"))


def keys_of_changed(old: Obj | None, new: Obj | None, caches: Caches) -> Sequence[Key]:
    """Map an autoscaler to itself, but for changes of its status."""
    if old is not None and new is not None and old["spec"] == new["spec"]:
        return ()
    return keys_of_self(old, new, caches)


def keys_of_target(old: Obj | None, new: Obj | None, caches: Caches) -> Sequence[Key]:
    """Map an object whose scale changed to the autoscalers that refer to it."""
    obj = new or old
    index = caches[AUTOSCALERS].index("target", _target_values, on=SPEC)
    if obj is None or not len(index) or (old is not None and new is not None and _scale_of(old) == _scale_of(new)):
        return ()
    key = key_of(obj)
    return [key_of(hpa) for hpa in index.get((key.namespace, obj["kind"], key.name))]


def _scale_of(obj: Obj) -> tuple[object, ...]:
    status: Mapping[str, object] = obj.get("status") or {}
    return obj["spec"].get("replicas"), status.get("replicas"), status.get("readyReplicas")


def _target_values(hpa: Obj) -> tuple[tuple[str, str, str], ...]:
    ref = hpa["spec"]["scaleTargetRef"]
    return ((key_of(hpa).namespace, ref["kind"], ref["name"]),)
