"""replicaset-controller: keep the asked number of pods.

In: a ReplicaSet, counts of the pods it controls (a fold) and, only when something has to be
done to them, the pods. Out: pods created, deleted, adopted and released, and the status.

Pods on their way out do not count: their replacement is made at once. Which pods go when there
are too many is in :mod:`kctl.controllers.replicaset_ranking`. Upstream's expectations, which
bridge the lag of its caches, are not here: names of pods derive from slots, so a decision made
on old facts collides with its own result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition, controller_uid, is_deleting, key_of, labels_of, owner_reference
from kctl.api.selectors import Selector, from_label_selector, from_labels
from kctl.client.cache import LABELS, META, OWNERS, STATUS, Caches, by_controller
from kctl.client.client import Client
from kctl.controllers.ownership import Owned, adopt, is_adoptable, orphans, owned_pods, release
from kctl.controllers.pods import available_at, from_template, is_active, is_terminal, labels_key, ready_since
from kctl.controllers.replicaset_ranking import first_to_go
from kctl.runtime.act import carry_out, carry_out_one
from kctl.runtime.actions import Action, Create, Delete, Emit, Update, update_status
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch, keys_of_self
from kctl.runtime.events import Recorder

REPLICASETS = "replicasets.apps"
CONTROLLERS = "replicationcontrollers"
KINDS = {REPLICASETS: "ReplicaSet", CONTROLLERS: "ReplicationController"}
"""The two kinds this code keeps the pods of."""
BURST = 500
"""As upstream: one sync never creates or deletes more pods than this."""
BULK = 2
"""Batches from this size on are created in one call."""
OPTIONAL_COUNTS = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


class Counts(NamedTuple):
    """The pods of a ReplicaSet: ``ready`` tells how many became Ready when."""

    active: int
    fully_labeled: int
    terminating: int
    ready: tuple[tuple[str, int], ...]


class Seen(NamedTuple):
    """What is decided on; ``pods`` (every pod controlled) only where single pods matter.

    ``released`` are pods without a controller that bear names of this ReplicaSet's making.
    """

    rs: Obj
    counts: Counts
    adoptable: tuple[Obj, ...] = ()
    strays: tuple[Obj, ...] = ()
    pods: tuple[Obj, ...] = ()
    related: tuple[Obj, ...] = ()
    released: tuple[Obj, ...] = ()


class ReplicaSetController(Controller):
    """Keeps ``spec.replicas`` pods of the template running."""

    name = "replicaset-controller"
    user = "system:serviceaccount:kube-system:replicaset-controller"
    level = 30
    reads = (REPLICASETS, "pods")
    writes = ("pods", REPLICASETS, "events")
    resource = REPLICASETS
    component = "replicaset-controller"
    """What events name as their source."""

    def __init__(self) -> None:
        self.watches = (
            Watch(self.resource, keys_of_self),
            Watch("pods", keys_of_pods(self.resource), LABELS | OWNERS | META | STATUS, alike=True),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the fold of pods by owner and the indexes by owner and of orphans."""
        pods = caches["pods"]
        owned_pods(pods)
        by_controller(pods)
        orphans(pods)
        by_controller(caches[self.resource])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the ReplicaSet and its counts; its pods when there are too many, too few or strays."""
        rs = caches[self.resource].get(key)
        if rs is None:
            return None
        pods = caches["pods"]
        selector = selector_of(rs)
        uid = rs["metadata"]["uid"]
        owned = owned_pods(pods).get(uid)
        ownerless = orphans(pods).get(key.namespace)
        adoptable = tuple(pod for pod in ownerless if not is_terminal(pod) and is_adoptable(rs, selector, pod))
        counts = count(rs, owned, selector)
        stray = any(count.active and not selector.matches(dict(labels)) for labels, count in owned.by_labels.items())
        surplus = counts.active + len(adoptable) - replicas_of(rs)
        if is_deleting(rs) or not (stray or surplus):
            return Seen(rs, counts, adoptable)
        mine = tuple(by_controller(pods).get(uid))
        strays = tuple(pod for pod in mine if stray and is_active(pod) and not selector.matches(labels_of(pod)))
        related = _related_pods(caches, rs) if surplus > 0 else ()
        base = names_begin(rs)
        released = tuple(pod for pod in ownerless if surplus < 0 and pod["metadata"]["name"].startswith(base))
        return Seen(rs, counts, adoptable, strays, mine, related, released)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare what is with what is asked; see :func:`decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; pods are created in batches of 1, 2, 4, ... until one fails."""
        failed: StatusError | None = None
        recorder = Recorder(client, now=now, component=self.component)
        creates = [action for action in decision.actions if isinstance(action, Create)]
        if creates:
            failed = self._create(client, decision.actions, recorder, now)
        for action in decision.actions:
            if isinstance(action, Create) or (isinstance(action, Emit) and action.reason == "SuccessfulCreate"):
                continue
            if failed is not None and isinstance(action, Update):
                continue
            carry_out_one(client, action, now=now, component=self.component, recorder=recorder)
        if failed is not None:
            self._report_failure(client, decision.actions, failed, now)
            raise failed

    def _create(self, client: Client, actions: Sequence[Action], recorder: Recorder, now: float) -> StatusError | None:
        """Create pods in growing batches; return the first refusal of the batch that failed."""
        pairs = [
            (action, emit)
            for action, emit in pairwise(actions)
            if isinstance(action, Create) and isinstance(emit, Emit)
        ]
        start, size = 0, 1
        while start < len(pairs):
            batch = pairs[start : start + size]
            if not _create_alike(client, batch, recorder):
                refusals = [
                    error for pair in batch if (error := self._create_one(client, pair, recorder, now)) is not None
                ]
                if any(map(_namespace_is_terminating, refusals)):
                    return None  # nothing can be created there any more
                if refusals:
                    return refusals[0]
            start, size = start + size, size * 2
        return None

    def _create_one(
        self, client: Client, pair: tuple[Create, Emit], recorder: Recorder, now: float
    ) -> StatusError | None:
        """Create one pod and record how that went."""
        try:
            carry_out(client, pair, now=now, component=self.component, recorder=recorder)
        except StatusError as error:
            if not _namespace_is_terminating(error):
                message = f"Error creating: {error.message}"
                recorder.record(Emit(pair[1].regarding, "Warning", "FailedCreate", message, once=True))
            return error
        return None

    def _report_failure(self, client: Client, actions: Sequence[Action], error: StatusError, now: float) -> None:
        """Write the status with the condition ReplicaFailure."""
        rs = next(action.regarding for action in actions if isinstance(action, Emit))
        status = next((action.obj["status"] for action in actions if isinstance(action, Update)), rs["status"])
        failure = condition(rs, "ReplicaFailure") or {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": rfc3339(now),
            "reason": "FailedCreate",
            "message": error.message,
        }
        others = [found for found in status.get("conditions") or () if found["type"] != "ReplicaFailure"]
        status = {**status, "conditions": [*others, failure]}
        if status != rs.get("status"):
            carry_out_one(client, update_status(resource_of(rs), rs, status), now=now, component=self.component)


def _create_alike(client: Client, batch: Sequence[tuple[Create, Emit]], recorder: Recorder) -> bool:
    """Create the pods of a large batch in one call; say whether that worked, else they go one by one."""
    if len(batch) < BULK:
        return False
    first = batch[0][0].obj
    template = {name: value for name, value in first.items() if name != "metadata"}
    try:
        client.create_many("pods", template, [create.obj["metadata"] for create, _ in batch])
    except StatusError:
        return False
    recorder.record_all([emit for _, emit in batch])
    return True


def decide(seen: Seen, now: float) -> Decision:
    """Say which pods to make and unmake and what the status is, as syncReplicaSet."""
    rs = seen.rs
    actions: list[Action] = [adopt("pods", rs, pod) for pod in seen.adoptable]
    if not is_deleting(rs):
        actions += [release("pods", rs, pod) for pod in seen.strays]
        actions += _manage(seen, now)
    counts = _with_adopted(seen)
    status = status_of(rs, counts, now)
    if status != without_zeros(rs.get("status") or {}):
        actions.append(update_status(resource_of(rs), rs, status))
    return Decision(tuple(actions), _next_availability(rs, counts, now))


def _manage(seen: Seen, now: float) -> Iterable[Action]:
    """Yield what closes the gap between active and asked, as manageReplicas."""
    rs = seen.rs
    surplus = seen.counts.active + len(seen.adoptable) - replicas_of(rs)
    meta = rs["metadata"]
    if surplus < 0:
        taken = [pod["metadata"]["name"] for pod in (*seen.pods, *seen.adoptable, *seen.released)]
        base, owners = names_begin(rs), [owner_reference(rs)]
        for slot in names.next_slots(meta["uid"], taken, min(-surplus, BURST)):
            name = names.child_name(base, meta["uid"], slot)
            yield Create("pods", from_template(rs["spec"]["template"], rs, name, base, owners))
            yield Emit(rs, "Normal", "SuccessfulCreate", f"Created pod: {name}")
    elif surplus > 0:
        stray = {pod["metadata"]["name"] for pod in seen.strays}
        own = [pod for pod in seen.pods if is_active(pod) and pod["metadata"]["name"] not in stray]
        nodes: dict[str, int] = {}
        for pod in seen.related:
            node = pod["spec"].get("nodeName") or ""
            nodes[node] = nodes.get(node, 0) + 1
        for pod in first_to_go((*own, *seen.adoptable), min(surplus, BURST), nodes, now):
            yield Delete("pods", key_of(pod), pod["metadata"]["uid"])
            yield Emit(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")


def names_begin(rs: Obj) -> str:
    """Return what the names of the ReplicaSet's pods begin with."""
    return f"{rs['metadata']['name']}-"


def count(rs: Obj, owned: Owned, selector: Selector) -> Counts:
    """Count the pods that the ReplicaSet controls and selects."""
    wanted = _template_labels(rs).items()
    active = full = terminating = 0
    mine = set()
    for labels, found in owned.by_labels.items():
        carried = dict(labels)
        if not selector.matches(carried):
            continue
        mine.add(labels)
        active += found.active
        terminating += found.terminating
        if wanted <= carried.items():
            full += found.active
    times: dict[str, int] = {}
    for (labels, since), number in owned.ready_since.items():
        if labels in mine:
            times[since] = times.get(since, 0) + number
    return Counts(active, full, terminating, tuple(sorted(times.items())))


def _template_labels(rs: Obj) -> dict[str, str]:
    return (rs["spec"]["template"].get("metadata") or {}).get("labels") or {}


def _with_adopted(seen: Seen) -> Counts:
    """Return the counts with the pods that are adopted in this sync."""
    counts = seen.counts
    if not seen.adoptable:
        return counts
    template = _template_labels(seen.rs).items()
    times = dict(counts.ready)
    for pod in seen.adoptable:
        since = ready_since(pod)
        if since is not None:
            times[since] = times.get(since, 0) + 1
    full = sum(template <= dict(labels_key(pod)).items() for pod in seen.adoptable)
    return counts._replace(
        active=counts.active + len(seen.adoptable),
        fully_labeled=counts.fully_labeled + full,
        ready=tuple(sorted(times.items())),
    )


def status_of(rs: Obj, counts: Counts, now: float) -> Obj:
    """Return the status, as calculateStatus of a sync that did not fail."""
    wait = rs["spec"].get("minReadySeconds") or 0
    moments = ((available_at(since, wait), number) for since, number in counts.ready)
    status: Obj = {
        "replicas": counts.active,
        "fullyLabeledReplicas": counts.fully_labeled,
        "readyReplicas": sum(number for _, number in counts.ready),
        "availableReplicas": sum(number for at, number in moments if at is not None and at <= now),
        **({"terminatingReplicas": counts.terminating} if resource_of(rs) == REPLICASETS else {}),
        "observedGeneration": rs["metadata"].get("generation", 0),
    }
    before = (rs.get("status") or {}).get("conditions") or ()
    conditions = [found for found in before if found["type"] != "ReplicaFailure"]
    if conditions:
        status["conditions"] = conditions
    return without_zeros(status)


def without_zeros(status: Obj) -> Obj:
    """Leave out what the API's types leave out when it is zero."""
    return {name: value for name, value in status.items() if value or name not in OPTIONAL_COUNTS}


def _next_availability(rs: Obj, counts: Counts, now: float) -> float | None:
    """Return when the next Ready pod has been so for minReadySeconds."""
    wait = rs["spec"].get("minReadySeconds") or 0
    if not wait:
        return None
    moments = (available_at(since, wait) for since, _ in counts.ready)
    return min((at for at in moments if at is not None and at > now), default=None)


def replicas_of(obj: Obj) -> int:
    """Return ``spec.replicas``, 1 when it is not said."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def _related_pods(caches: Caches, rs: Obj) -> tuple[Obj, ...]:
    """Return the active pods of every ReplicaSet with the same controller, as getIndirectlyRelatedPods."""
    owner = controller_uid(rs)
    if not owner:
        return ()
    pods = by_controller(caches["pods"])
    siblings = by_controller(caches[resource_of(rs)]).get(owner)
    return tuple(pod for sibling in siblings for pod in pods.get(sibling["metadata"]["uid"]) if is_active(pod))


def selector_of(rs: Obj) -> Selector:
    """Return the selector of a ReplicaSet or, as equal labels, of a ReplicationController."""
    selector = rs["spec"].get("selector") or {}
    return from_label_selector(selector) if resource_of(rs) == REPLICASETS else from_labels(selector)


def resource_of(rs: Obj) -> str:
    """Return which of the two kinds the object is of."""
    return CONTROLLERS if rs["kind"] == KINDS[CONTROLLERS] else REPLICASETS


def keys_of_pods(resource: str) -> KeysOf:
    """Return the map of a pod to the owners that count it, or, when nobody controls it, might adopt it."""
    kind = KINDS[resource]

    def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        if old is not None and new is not None and not (_concerns(kind, old, new) and _matters(old, new)):
            return []
        keys: list[Key] = []
        for pod in (old, new):
            for ref in (pod or {}).get("metadata", {}).get("ownerReferences") or ():
                if ref.get("controller") and ref["kind"] == kind and pod is not None:
                    key = Key(pod["metadata"].get("namespace") or "", ref["name"])
                    if key not in keys:
                        keys.append(key)
        if new is not None and not controller_uid(new) and not is_deleting(new):
            labels = labels_of(new)
            for rs in caches[resource].in_namespace(new["metadata"].get("namespace") or ""):
                if selector_of(rs).matches(labels) and key_of(rs) not in keys:
                    keys.append(key_of(rs))
        return keys

    return keys_of_pod


def _concerns(kind: str, old: Obj, new: Obj) -> bool:
    """Say whether the pod has, or had, an owner of the kind as its controller, or none at all."""
    refs = new["metadata"].get("ownerReferences") or ()
    if refs is not (old["metadata"].get("ownerReferences") or ()):
        return True
    kinds = [ref["kind"] for ref in refs if ref.get("controller")]
    return not kinds or kind in kinds


def _matters(old: Obj, new: Obj) -> bool:
    """Say whether the change of a pod can change a ReplicaSet's decision."""
    before, after = old["metadata"], new["metadata"]
    if before is not after:
        for field in ("labels", "deletionTimestamp", "ownerReferences", "uid"):
            if before.get(field) != after.get(field):
                return True
    if old.get("status") is new.get("status"):
        return False
    return ready_since(old) != ready_since(new) or is_terminal(old) != is_terminal(new)


def _namespace_is_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
