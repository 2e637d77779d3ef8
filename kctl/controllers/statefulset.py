"""statefulset-controller: pods with a name and storage of their own, one after the other.

In: a StatefulSet, its pods and claims (folds of ordinals), its ControllerRevisions. Out: pods,
claims and revisions made, deleted, adopted, released; the status. What a sync decides is in
:mod:`kctl.controllers.statefulset_sync`; this module reads, writes and knows what wakes which set.
As upstream's, it does not follow revisions: one that is deleted comes back with the next sync.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, controller_of, controller_uid, is_deleting, key_of, labels_of
from kctl.api.selectors import Selector, from_label_selector
from kctl.client.cache import META, OWNERS, Caches, by_controller
from kctl.client.client import Client
from kctl.controllers import revisions
from kctl.controllers import statefulset_pods as shapes
from kctl.controllers.bits import each
from kctl.controllers.ownership import is_adoptable, orphans
from kctl.controllers.statefulset_slots import ON, ORDINAL, Slots, claims, is_ordered, ordinal_of, share_of, slots
from kctl.controllers.statefulset_sync import CLAIMS, STATEFULSETS, Seen, decide
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Action, Create, Delete, Emit, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.events import Recorder


class StatefulSetController(Controller):
    """Keeps the pods of StatefulSets."""

    name = "statefulset-controller"
    user = "system:serviceaccount:kube-system:statefulset-controller"
    level = 30
    reads = (STATEFULSETS, "pods", CLAIMS, revisions.REVISIONS)
    writes = ("pods", CLAIMS, revisions.REVISIONS, STATEFULSETS, "events")

    def __init__(self) -> None:
        self.watches = (
            Watch(STATEFULSETS, keys_of_self),
            Watch("pods", keys_of_pod, ON, where=_may_concern),
            Watch(CLAIMS, keys_of_claim, META | OWNERS),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the folds of slots and claims, the indexes of owned and ownerless objects."""
        slots(caches["pods"])
        claims(caches[CLAIMS])
        for resource in ("pods", revisions.REVISIONS):
            by_controller(caches[resource])
            orphans(caches[resource])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the set, its slots, claims and revisions; single pods and claims on demand."""
        sts = caches[STATEFULSETS].get(key)
        if sts is None:
            return None
        pods, claimed, known = caches["pods"], caches[CLAIMS], caches[revisions.REVISIONS]
        uid, name, namespace = sts["metadata"]["uid"], key.name, key.namespace
        selector = from_label_selector(sts["spec"]["selector"])
        owned = slots(pods).get(uid)
        ownerless = orphans(pods).get(namespace) if orphans(pods).count(namespace) else ()
        free = orphans(known).get(namespace) if orphans(known).count(namespace) else ()
        templates = [template["metadata"]["name"] for template in shapes.templates_of(sts)]

        def pod(ordinal: int) -> Obj:
            return pods.get(Key(namespace, f"{name}-{ordinal}")) or {}

        return Seen(
            sts,
            owned,
            {template: claims(claimed).get((namespace, f"{template}-{name}")) for template in templates},
            tuple(one for one in by_controller(known).get(uid) if selector.matches(labels_of(one))),
            pod,
            lambda claim: claimed.get(Key(namespace, claim)) or {},
            {one["metadata"]["name"]: one for one in known.in_namespace(namespace)} if _is_new(sts) else {},
            tuple(
                one for one in ownerless if ordinal_of(key_of(one).name, name) >= 0 and is_adoptable(sts, selector, one)
            ),
            _strays(caches, sts, owned, selector),
            tuple(one for one in free if is_adoptable(sts, selector, one)),
        )

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what one sync does; see :func:`kctl.controllers.statefulset_sync.decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; what cannot be made is told, and the status written all the same."""
        Errand(client, now, self.name).carry_out(decision.actions)


def _is_new(sts: Obj) -> bool:
    """Say whether the template may have no revision yet, so that names that are taken matter."""
    seen = (sts.get("status") or {}).get("observedGeneration")
    return bool(seen != sts["metadata"].get("generation"))


def _strays(caches: Caches, sts: Obj, owned: Slots, selector: Selector) -> tuple[Obj, ...]:
    """Return the pods the set controls that are not its own by labels or by name."""
    pods, key = caches["pods"], key_of(sts)
    found = []
    for labels, bits in owned.groups.items():
        if not selector.matches(dict(labels)):
            found += [pods.get(Key(key.namespace, f"{key.name}-{ordinal}")) for ordinal in each(bits)]
    if owned.misfits:
        mine = by_controller(pods).get(sts["metadata"]["uid"])
        found += [pod for pod in mine if ordinal_of(pod["metadata"]["name"], key.name) < 0]
    return tuple(pod for pod in found if pod is not None and not is_deleting(pod))


class Errand:
    """Carries a decision out, in order; refusals end it but for the status."""

    def __init__(self, client: Client, now: float, component: str) -> None:
        self._client, self._now, self._component = client, now, component
        self._recorder = Recorder(client, now=now, component=component)
        self._failed: StatusError | None = None
        self._batch = 0
        """In which of the growing batches (1, 2, 4 ...) of slots the first refusal was."""
        self._lacking: dict[str, str] = {}
        """Why claims could not be made, by the claim's name."""

    def carry_out(self, actions: Sequence[Action]) -> None:
        """Do the actions; raise the first refusal at the end."""
        told = 0
        for at, action in enumerate(actions):
            if at < told:
                continue
            following = actions[at + 1] if at + 1 < len(actions) else None
            emit = following if isinstance(following, Emit) else None
            told = at + 2 if emit is not None and not isinstance(action, Emit) else at + 1
            if isinstance(action, Update) and action.subresource == "status":
                self._do(action)
            elif self._goes_on(action):
                self._try(action, emit)
        if self._failed is not None:
            raise self._failed

    def _goes_on(self, action: Action) -> bool:
        """Say whether an action is still done: after a refusal only those of the same batch of slots are."""
        if self._failed is None:
            return True
        return isinstance(action, Create) and action.resource == "pods" and _batch_of(action.obj) == self._batch

    def _do(self, action: Action) -> None:
        carry_out_one(self._client, action, now=self._now, component=self._component, recorder=self._recorder)

    def _try(self, action: Action, emit: Emit | None) -> None:
        """Do one action and record how that went."""
        try:
            lacking = self._lacks(action)
            if lacking is not None:
                raise lacking
            if isinstance(action, Create):
                emit = emit if self._create(action) else None
            else:
                self._do(action)
        except StatusError as error:
            self._refused(action, emit, error)
        else:
            if emit is not None:
                self._recorder.record(emit)

    def _create(self, action: Create) -> bool:
        """Make an object; say whether it was not there, which is what is told."""
        try:
            self._client.create(action.resource, action.obj)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            key = key_of(action.obj)
            there = self._client.get(action.resource, key.namespace, key.name)
            if action.resource == CLAIMS or controller_uid(there) == controller_uid(action.obj):
                return False
            raise
        return True

    def _lacks(self, action: Action) -> StatusError | None:
        """Return why a pod is not made: a claim of its own could not be."""
        if not isinstance(action, Create) or action.resource != "pods":
            return None
        end = f"-{action.obj['metadata']['name']}"
        reasons = [f"failed to create PVC {name}: {why}" for name, why in self._lacking.items() if name.endswith(end)]
        if not reasons:
            return None
        return StatusError(403, "Forbidden", reasons[0] if len(reasons) == 1 else f"[{', '.join(reasons)}]")

    def _refused(self, action: Action, emit: Emit | None, error: StatusError) -> None:
        """Remember the first refusal and tell what could not be done."""
        if self._failed is None and not (isinstance(action, Create) and action.resource == CLAIMS):
            self._failed = error
            self._batch = _batch_of(action.obj) if isinstance(action, Create) else -1
        if emit is None or (isinstance(action, Create) and error.reason == "AlreadyExists"):
            return
        verb = {Create: "Create", Delete: "Delete"}.get(type(action), "Update")
        about = emit.message
        if isinstance(action, Create) and action.resource == CLAIMS:
            self._lacking[action.obj["metadata"]["name"]] = error.message
            about = about.replace(" Pod ", " for Pod ", 1).removesuffix(" success")
        message = f"{about.removesuffix(' successful')} failed error: {error.message}"
        self._recorder.record(emit._replace(type="Warning", reason=f"Failed{verb}", message=message, once=True))


def _batch_of(pod: Obj) -> int:
    """Return in which of the growing batches of slots a pod's slot is, as slowStartBatch."""
    found = ORDINAL.fullmatch(pod["metadata"]["name"])
    return (int(found[2]) + 1).bit_length() if found else -1


def _may_concern(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a StatefulSet, or nobody, controls the pod before or after; a gone one may have had a name of ours."""
    return new is None or any(pod is not None and (controller_of(pod) is None or is_ordered(pod)) for pod in (old, new))


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to the StatefulSet that controls it, or, when nobody does, to those that might adopt it."""
    found: dict[Key, None] = {}
    owners = [controller_of(pod) if pod is not None else None for pod in (old, new)]
    if old is not None and new is not None and owners[0] == owners[1] and not _matters(owners[0], old, new):
        return []
    for pod, owner in zip((old, new), owners, strict=True):
        if pod is not None and owner is not None and owner["kind"] == "StatefulSet":
            found.setdefault(Key(key_of(pod).namespace, owner["name"]))
    if new is not None and owners[1] is None and not is_deleting(new):
        parent = ORDINAL.fullmatch(new["metadata"]["name"])
        key = Key(key_of(new).namespace, parent[1] if parent else "")
        sts = caches[STATEFULSETS].get(key)
        if sts is not None and from_label_selector(sts["spec"]["selector"]).matches(labels_of(new)):
            found.setdefault(key)
    if new is None and old is not None:
        parent = ORDINAL.fullmatch(old["metadata"]["name"])
        key = Key(key_of(old).namespace, parent[1] if parent else "")
        if caches[STATEFULSETS].get(key) is not None:  # its name is free now
            found.setdefault(key)
    return list(found)


def _matters(owner: Obj | None, old: Obj, new: Obj) -> bool:
    """Say whether the change of a pod that keeps its owner can change a StatefulSet's decision."""
    if owner is None:
        return True
    return bool(owner["kind"] == "StatefulSet" and share_of(old, owner["name"]) != share_of(new, owner["name"]))


def keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a claim to the StatefulSets whose slots it may belong to; a new one wakes nobody."""
    claim = new or old
    if old is None or claim is None:
        return []
    found = ORDINAL.fullmatch(claim["metadata"]["name"])
    if found is None:
        return []
    namespace, base = key_of(claim).namespace, found[1]
    return [
        key_of(sts)
        for sts in caches[STATEFULSETS].in_namespace(namespace)
        if any(f"{template['metadata']['name']}-{key_of(sts).name}" == base for template in shapes.templates_of(sts))
    ]
