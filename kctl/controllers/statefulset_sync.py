"""One sync of a StatefulSet: which pods and claims are made, deleted, repaired; the status.

In: the set, its slots and claims as sets of ordinals, its revisions. Out: actions. As
updateStatefulSet: replicas first, in order; then what is beyond the range, from the top; then
the update, from the top. With OrderedReady the first slot that is not as it should be ends the
sync; with Parallel nothing waits. ``maxUnavailable`` is not here: its feature gate is off, so the
API server drops the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kctl.api.objects import Obj, is_deleting, key_of
from kctl.controllers import revisions
from kctl.controllers import statefulset_pods as shapes
from kctl.controllers.bits import each, highest, lowest, span
from kctl.controllers.ownership import adopt, release
from kctl.controllers.pods import available_at
from kctl.controllers.statefulset_slots import HIGHEST, Claims, Slots
from kctl.runtime.actions import Action, Create, Delete, Emit, Update, update_status
from kctl.runtime.controller import Decision

STATEFULSETS = "statefulsets.apps"
CLAIMS = "persistentvolumeclaims"
HASH_LABEL = "controller.kubernetes.io/hash"
OMITTED_ZEROS = ("readyReplicas", "currentReplicas", "updatedReplicas")


class Seen(NamedTuple):
    """What is decided on; ``pod`` and ``claim`` return single objects, which a sync needs few of.

    ``claims`` is by template, ``revisions`` are the set's, ``others`` the namespace's by name.
    """

    sts: Obj
    slots: Slots
    claims: Mapping[str, Claims]
    revisions: tuple[Obj, ...]
    pod: Callable[[int], Obj]
    claim: Callable[[str], Obj]
    others: Mapping[str, Obj] = {}
    adoptable: tuple[Obj, ...] = ()
    strays: tuple[Obj, ...] = ()
    orphans: tuple[Obj, ...] = ()
    """Revisions nobody controls."""


class Revisions(NamedTuple):
    """The revision pods have, the one they are to have, and what makes that so."""

    current: Obj
    update: Obj
    collisions: int
    actions: tuple[Action, ...]


def find_revisions(seen: Seen) -> Revisions:
    """Find or make the revision of the template, as getStatefulSetRevisions."""
    sts, status = seen.sts, seen.sts.get("status") or {}
    known = revisions.by_number(seen.revisions)
    collisions = int(status.get("collisionCount") or 0)
    number = known[-1]["revision"] + 1 if known else 1
    equal = [one for one in known if revisions.holds(one, sts["spec"]["template"])]
    actions: tuple[Action, ...] = ()
    if equal and equal[-1] is known[-1]:
        update = known[-1]
    elif equal:
        update, patch = revisions.renumbered(equal[-1], number)
        actions = (patch,)
    else:
        mark, collisions = revisions.free_hash(sts, seen.others, collisions)
        update = revisions.new(sts, number, mark, HASH_LABEL)
        actions = (Create(revisions.REVISIONS, update),)
    name = status.get("currentRevision")
    current = next((one for one in known if one["metadata"]["name"] == name), update)
    return Revisions(current, update, collisions, actions)


class Sync:
    """A sync in the making; it does not outlive the decision."""

    def __init__(self, seen: Seen, now: float) -> None:
        self.seen, self.sts, self.now = seen, seen.sts, now
        self.slots = seen.slots
        self.start, self.replicas = shapes.start_of(self.sts), shapes.replicas_of(self.sts)
        self.range = span(self.start, self.replicas)
        self.is_ordered = self.sts["spec"].get("podManagementPolicy") != "Parallel"
        self.found = find_revisions(seen)
        self.actions: list[Action] = list(self.found.actions)
        self.removed = 0
        self.ready = self.slots.serving
        self.available, self.wake_at = self._availability()

    def _availability(self) -> tuple[int, float | None]:
        """Return the slots with an available pod, and when the next becomes so."""
        wait = self.sts["spec"].get("minReadySeconds") or 0
        if not wait:
            return self.ready, None
        moments = [(available_at(since, wait), bits) for since, bits in self.slots.ready.items()]
        there = _union(bits for at, bits in moments if at is not None and at <= self.now)
        return there, min((at for at, _ in moments if at is not None and at > self.now), default=None)

    @property
    def revision(self) -> str:
        """Return the name of the revision pods are to have."""
        return str(self.found.update["metadata"]["name"])

    def run(self) -> None:
        """Do what can be done now."""
        if self.start + self.replicas - 1 > HIGHEST:
            self._emit("Warning", "NotSimulated", f"Ordinals above {HIGHEST} are not simulated")
        elif not is_deleting(self.sts) and self._fill() and self._shrink():
            self._update()

    def _fill(self) -> bool:
        """Fill the slots; say whether what comes after may be done."""
        return self._in_order() if self.is_ordered else self._at_once()

    def _in_order(self) -> bool:
        """Fill the slots one by one, as processReplica with OrderedReady; say whether all are as they should be."""
        slots = self.slots
        fine = self.available & ~slots.terminating & ~slots.ended
        first = lowest(self.range & ~fine)
        self._repair(self.range & fine & (span(0, first) if first >= 0 else -1))
        if first < 0:
            return True
        bit = 1 << first
        if slots.ended & bit:
            if not slots.terminating & bit:
                self._delete(first)
        elif not slots.pods & bit:
            self._create(first)
        elif slots.pending & bit:
            self._complete_claims(bit)
        return False

    def _at_once(self) -> bool:
        """Fill all slots, as processReplica with Parallel."""
        slots = self.slots
        for ordinal in each(self.range & slots.ended & ~slots.terminating):
            self._delete(ordinal)
        for ordinal in each(self.range & ~slots.pods):
            self._create(ordinal)
        self._complete_claims(self.range & slots.pending)
        self._repair(self.range & slots.pods & ~slots.ended & ~slots.pending)
        return True

    def _create(self, ordinal: int) -> None:
        """Make a slot's pod, its claims first, as CreateStatefulPod."""
        name = shapes.pod_name(self.sts, ordinal)
        with_pod = shapes.policy_of(self.sts)[1]
        for claims in self.seen.claims.values() if with_pod else ():
            if any(bits >> ordinal & 1 and shapes.is_stale(owners, name, "") for owners, bits in claims.owners.items()):
                return  # the claim goes with the former pod
        going = [self._make_claim(template, ordinal) for template in shapes.templates_of(self.sts)]
        if any(going):
            reasons = [f"pvc {gone} is being deleted" for gone in going if gone]
            self.tell_failure("Create", name, reasons[0] if len(reasons) == 1 else f"[{', '.join(reasons)}]")
            return
        template, revision = self._template_for(ordinal)
        self.actions.append(Create("pods", shapes.new_pod(self.sts, template, revision, ordinal)))
        self.tell("Create", name)

    def _template_for(self, ordinal: int) -> tuple[Obj, str]:
        """Return of what a slot's pod is made, as newVersionedStatefulSetPod."""
        strategy = self.sts["spec"].get("updateStrategy") or {}
        rolling = strategy.get("rollingUpdate")
        former = 0
        if rolling is not None:
            former = int(rolling.get("partition") or 0)
        elif strategy.get("type", "RollingUpdate") == "RollingUpdate":
            former = int((self.sts.get("status") or {}).get("currentReplicas") or 0)
        revision = self.found.current if ordinal < self.start + former else self.found.update
        if revision is self.found.update:
            return self.sts["spec"]["template"], self.revision
        return revisions.template_of(revision), revision["metadata"]["name"]

    def _make_claim(self, template: Obj, ordinal: int) -> str:
        """Make a claim unless it is there; return its name when it is on its way out."""
        claims = self.seen.claims[template["metadata"]["name"]]
        if claims.there >> ordinal & 1:
            name = shapes.claim_name(self.sts, template["metadata"]["name"], ordinal)
            return name if claims.deleting >> ordinal & 1 else ""
        claim = shapes.new_claim(self.sts, template, ordinal)
        pod = shapes.pod_name(self.sts, ordinal)
        about = (
            f"Create Claim {claim['metadata']['name']} Pod {pod} in StatefulSet {self.sts['metadata']['name']} success"
        )
        self.actions.append(Create(CLAIMS, claim))
        self._emit("Normal", "SuccessfulCreate", about)
        return ""

    def _complete_claims(self, slots: int) -> None:
        """Make the claims that pending pods lack, and give them their owners, as createMissingPersistentVolumeClaims."""
        for template in shapes.templates_of(self.sts):
            for ordinal in each(slots & ~self.seen.claims[template["metadata"]["name"]].there):
                self._make_claim(template, ordinal)
        for ordinal, names in self._wrongly_owned(slots).items():
            self._give_owners(ordinal, names)

    def _wrongly_owned(self, slots: int) -> dict[int, list[str]]:
        """Return the claims of some pods whose owners are not as the policy asks, by ordinal."""
        found: dict[int, list[str]] = {}
        for template, claims in self.seen.claims.items():
            for signature, bits in claims.owners.items():
                if not signature and not any(shapes.policy_of(self.sts)):
                    continue  # most claims: nobody owns them, and nobody is to
                for ordinal in self._wrong(signature, slots & bits):
                    found.setdefault(ordinal, []).append(shapes.claim_name(self.sts, template, ordinal))
        return dict(sorted(found.items()))

    def _wrong(self, signature: Any, slots: int) -> Iterable[int]:
        """Yield the slots whose claims must not have these owners; owners that are no pods are judged once."""
        if any(ref[1] == "Pod" for ref in signature):
            for ordinal in each(slots):
                pod = self.seen.pod(ordinal)["metadata"]
                within = bool(self.range >> ordinal & 1)
                if not shapes.is_owned_rightly(signature, self.sts, pod["name"], pod["uid"], within):
                    yield ordinal
            return
        for part, within in ((slots & self.range, True), (slots & ~self.range, False)):
            if part and not shapes.is_owned_rightly(signature, self.sts, "", "", within):
                yield from each(part)

    def _give_owners(self, ordinal: int, names: Iterable[str]) -> None:
        pod, within = self.seen.pod(ordinal), bool(self.range >> ordinal & 1)
        for name in names:
            claim = self.seen.claim(name)
            owners = shapes.references(self.sts, pod, claim, within)
            kept = {field: value for field, value in claim["metadata"].items() if field != "ownerReferences"}
            meta = {**kept, "ownerReferences": owners} if owners else kept
            self.actions.append(Update(CLAIMS, {**claim, "metadata": meta}))

    def _repair(self, slots: int) -> None:
        """Give pods back their identity, storage and claims' owners, as UpdateStatefulPod."""
        names = {template["metadata"]["name"] for template in shapes.templates_of(self.sts)}
        unstored = _union(bits for own, bits in self.slots.volumes.items() if not names <= set(own))
        owned = self._wrongly_owned(slots)
        odd = slots & (~self.slots.named | unstored)
        for ordinal in sorted({*each(odd), *owned}):
            pod = self.seen.pod(ordinal)
            if unstored >> ordinal & 1:
                for template in shapes.templates_of(self.sts):
                    self._make_claim(template, ordinal)
            self._give_owners(ordinal, owned.get(ordinal, ()))
            if odd >> ordinal & 1:
                missing = names if unstored >> ordinal & 1 else ()
                self.actions.append(Update("pods", shapes.with_identity(self.sts, pod, ordinal, missing)))
            self.tell("Update", pod["metadata"]["name"])

    def _shrink(self) -> bool:
        """Delete pods beyond the range, as processCondemned; say whether the update may go on."""
        slots = self.slots
        condemned = slots.pods & ~self.range
        for ordinal, names in self._wrongly_owned(condemned).items():
            self._give_owners(ordinal, names)
        if not self.is_ordered:
            for ordinal in reversed(list(each(condemned & ~slots.terminating))):
                self._delete(ordinal)
            return True
        if not condemned:
            return True
        top = highest(condemned)
        unhealthy = condemned & ~(self.available & ~slots.terminating)
        if not slots.terminating >> top & 1 and (self.available >> top & 1 or lowest(unhealthy) == top):
            self._delete(top)
        return False

    def _update(self) -> None:
        """Delete the highest pod of another revision unless one above it is not available."""
        strategy = self.sts["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        slots = self.slots
        partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        within = self.range & ~span(0, self.start + partition)
        other = slots.pods & ~slots.terminating & ~slots.revisions.get(self.revision, 0)
        old = highest(within & other)
        waiting = highest(within & ~other & ~(self.available & ~slots.terminating))
        if old > waiting:
            self._delete(old)
            self.removed = 1

    def _delete(self, ordinal: int) -> None:
        pod = self.seen.pod(ordinal)
        self.actions.append(Delete("pods", key_of(pod), pod["metadata"]["uid"]))
        self.tell("Delete", pod["metadata"]["name"])

    def tell(self, verb: str, pod: str) -> None:
        """Record that something was done to a pod, as recordPodEvent."""
        about = f"{verb} Pod {pod} in StatefulSet {self.sts['metadata']['name']} successful"
        self._emit("Normal", f"Successful{verb}", about)

    def tell_failure(self, verb: str, pod: str, why: str) -> None:
        """Record that something could not be done to a pod."""
        about = f"{verb} Pod {pod} in StatefulSet {self.sts['metadata']['name']} failed error: {why}"
        self._emit("Warning", f"Failed{verb}", about)

    def _emit(self, type_: str, reason: str, message: str) -> None:
        self.actions.append(Emit(self.sts, type_, reason, message))

    def status(self) -> Obj:
        """Return the status, as updateStatus and completeRollingUpdate."""
        slots, found = self.slots, self.found
        living = ~slots.terminating
        current = slots.revisions.get(found.current["metadata"]["name"], 0) & living
        updated = (slots.revisions.get(self.revision, 0) & living).bit_count()
        status: Obj = {
            "observedGeneration": self.sts["metadata"].get("generation", 0),
            "replicas": slots.pods.bit_count(),
            "readyReplicas": self.ready.bit_count(),
            "currentReplicas": max(current.bit_count() - self.removed, 0),
            "updatedReplicas": updated,
            "currentRevision": found.current["metadata"]["name"],
            "updateRevision": self.revision,
            "collisionCount": found.collisions,
            "availableReplicas": self.available.bit_count(),
        }
        rolls = (self.sts["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        if rolls and status["updatedReplicas"] == status["readyReplicas"] == status["replicas"] == self.replicas:
            status |= {"currentReplicas": updated, "currentRevision": self.revision}
        return {name: value for name, value in status.items() if value or name not in OMITTED_ZEROS}


def decide(seen: Seen, now: float) -> Decision:
    """Say what one sync of the set does, as syncStatefulSet; pods are claimed in a sync of their own."""
    sts = seen.sts
    claimed = claim_actions(seen)
    if claimed:
        return Decision(tuple(claimed))
    sync = Sync(seen, now)
    sync.run()
    status = sync.status()
    if status != (sts.get("status") or {}):
        sync.actions.append(update_status(STATEFULSETS, sts, status))
    live = (sync.found.current["metadata"]["name"], sync.revision, *seen.slots.revisions)
    sync.actions += revisions.surplus(seen.revisions, live, sts["spec"].get("revisionHistoryLimit"))
    return Decision(tuple(sync.actions), sync.wake_at)


def claim_actions(seen: Seen) -> list[Action]:
    """Return what adopts and releases pods and revisions, as ClaimPods and AdoptOrphanRevisions."""
    if is_deleting(seen.sts):
        return []
    actions: list[Action] = [adopt(revisions.REVISIONS, seen.sts, one) for one in seen.orphans]
    actions += [adopt("pods", seen.sts, pod) for pod in seen.adoptable]
    actions += [release("pods", seen.sts, pod) for pod in seen.strays]
    return actions


def _union(sets: Iterable[int]) -> int:
    bits = 0
    for one in sets:
        bits |= one
    return bits
