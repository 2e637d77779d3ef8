"""One sync of a DaemonSet: which nodes get a pod, which pods go, which are replaced; the status.

In: the set, its pods as sets of nodes, on which nodes it belongs, its revisions. Out: actions. As
syncDaemonSet: first every node is given what it should have (manage), then, when that changed
nothing, pods of another revision are replaced (rollingUpdate). Upstream takes nodes in the random
order of a map, here they go by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from kctl.api import names
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, annotations_of, is_deleting, key_of, labels_of
from kctl.controllers import revisions
from kctl.controllers.bits import each
from kctl.controllers.daemonset_nodes import GENERATION, Daemons, Fits, Numbers, tolerations_of
from kctl.controllers.intorpercent import scaled
from kctl.controllers.ownership import adopt, release
from kctl.controllers.pods import available_at, from_template, is_ready, phase_of, ready_since
from kctl.controllers.revisions import POD_HASH
from kctl.runtime.actions import Action, Create, Delete, Emit, Patch, update_status
from kctl.runtime.controller import Decision

DAEMONSETS = "daemonsets.apps"
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
BURST = 250
"""As upstream: one sync never creates or deletes more pods than this."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 900.0
"""How long a pod that failed is left alone, when its forerunner on the node failed too."""
OMITTED_ZEROS = ("updatedNumberScheduled", "numberAvailable", "numberUnavailable")

BACKOFF = "kctl.dev/failed-pods-backoff"
NOTED = re.compile(r"([0-9.]+)s of generation ([0-9]+)")
Delays = Mapping[tuple[str, int, str], tuple[float, float]]
"""Of a set, its generation and a node: how long pods that fail are left alone, and since when."""


class Seen(NamedTuple):
    """What is decided on; ``on`` returns the pods of one node, which a sync asks of few.

    ``is_taken`` says of a name whether a pod has it.
    """

    ds: Obj
    daemons: Daemons
    fits: Fits
    numbers: Numbers
    on: Callable[[str], Sequence[Obj]]
    revisions: tuple[Obj, ...]
    others: Mapping[str, Obj] = {}
    delays: Delays = {}  # noqa: RUF012 - never changed
    is_taken: Callable[[str], bool] = bool
    adoptable: tuple[Obj, ...] = ()
    strays: tuple[Obj, ...] = ()
    orphans: tuple[Obj, ...] = ()


class Sync:
    """A sync in the making; it does not outlive the decision."""

    def __init__(self, seen: Seen, now: float) -> None:
        self.seen, self.ds, self.now = seen, seen.ds, now
        self.spec = seen.ds["spec"]
        self.actions: list[Action] = []
        self.wakes: list[float] = []
        self.retries: list[float] = []
        """When failed pods are replaced that will fail again: their back-off is at its longest."""
        self.generation = annotations_of(self.ds).get(TEMPLATE_GENERATION, "")
        self.hash, self.old, self.collisions = self._history()
        daemons = seen.daemons
        self.any, self.several = daemons.any, daemons.several
        self.single = self.any & ~self.several
        self.deleting = daemons.flag("deleting") & self.single
        self.updated = self._flagged("hash", self.hash)
        if self.generation:
            self.updated |= self._flagged("generation", self.generation)
        self.ready, self.available = self._availability()
        self.created: list[str] = []
        self.deleted: list[Obj] = []
        rolling = (self.spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        self.rolls = (self.spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        self.surges = self.rolls and scaled(rolling.get("maxSurge"), 1, round_up=True) > 0

    def _flagged(self, name: str, value: str = "") -> int:
        return self.seen.daemons.flag(name, value) & self.single

    def _history(self) -> tuple[str, list[Obj], int]:
        """Find or make the revision of the template, as constructHistory; return its hash and the others."""
        seen, template = self.seen, self.spec["template"]
        collisions = int((self.ds.get("status") or {}).get("collisionCount") or 0)
        current = [one for one in seen.revisions if revisions.holds(one, template)]
        old = [one for one in seen.revisions if one not in current]
        number = max((one["revision"] for one in old), default=0) + 1
        if not current:
            mark, bumped = revisions.free_hash(self.ds, seen.others, collisions)
            self.actions.append(Create(revisions.REVISIONS, revisions.new(self.ds, number, mark, POD_HASH)))
            return mark, old, bumped
        kept = revisions.by_number(current)[-1]
        for double in current:
            if double is not kept:
                self.actions.append(Delete(revisions.REVISIONS, key_of(double), double["metadata"]["uid"]))
        if kept["revision"] < number:
            self.actions.append(Patch(revisions.REVISIONS, key_of(kept), {"revision": number}))
        return labels_of(kept).get(POD_HASH, kept["metadata"]["name"]), old, collisions

    def _availability(self) -> tuple[int, int]:
        """Return the nodes whose one pod is ready and those where it is available; note when the next is."""
        wait, ready = self.spec.get("minReadySeconds") or 0, self._flagged("serving")
        if not wait:
            return ready, ready
        available = 0
        for (name, since), bits in self.seen.daemons.flags.items():
            at = available_at(since, wait) if name == "ready" else None
            if at is not None and at <= self.now:
                available |= bits
            elif at is not None:
                self.wakes.append(at)
        return ready, available & self.single

    def is_available(self, pod: Obj) -> bool:
        """Say whether a pod has been ready for minReadySeconds."""
        since = ready_since(pod)
        if since is None:
            return False
        at = available_at(since, self.spec.get("minReadySeconds") or 0)
        return at is not None and at <= self.now

    def is_updated(self, pod: Obj) -> bool:
        """Say whether a pod is of the current template, as IsPodUpdated."""
        labels = labels_of(pod)
        if self.generation and labels.get(GENERATION) == self.generation:
            return True
        return labels.get(POD_HASH) == self.hash

    def run(self) -> None:
        """Do what can be done now."""
        self._manage()
        if not self.created and not self.deleted and self.rolls:
            self._surge() if self.surges else self._replace()
        self._sync_nodes()

    # Every node has what it should have.

    def _manage(self) -> None:
        """Find the nodes that lack a pod and the pods that should not be, as manage."""
        fits, single = self.seen.fits, self.single
        self.created += self._named(fits.run & ~self.any)
        stays = single & fits.keep & ~self.deleting
        failed, succeeded = stays & self._flagged("Failed"), stays & self._flagged("Succeeded")
        for name in self._named(failed | succeeded):
            self._end(name, self.seen.on(name)[0])
        if self.surges:  # a pod that is on its way out is no pod
            self.created += self._named(single & fits.keep & fits.run & (self.deleting | failed | succeeded))
        for name in self._named(single & fits.nodes & ~fits.keep & ~self.deleting):
            self.deleted.append(self.seen.on(name)[0])
        for name in self._named(self.several & fits.nodes):
            self._manage_several(name)
        for name in self._named(self.any & ~fits.nodes):
            self.deleted += [pod for pod in self.seen.on(name) if not pod["spec"].get("nodeName")]

    def _manage_several(self, name: str) -> None:
        """Thin out a node with several pods, as podsShouldBeOnNode."""
        pods = [pod for pod in by_age(self.seen.on(name)) if not is_deleting(pod)]
        if not self._is_in(self.seen.fits.keep, name):
            self.deleted += pods
            return
        for pod in pods:
            if phase_of(pod) in ("Failed", "Succeeded"):
                self._end(name, pod)
        running = [pod for pod in pods if phase_of(pod) not in ("Failed", "Succeeded")]
        if not self.surges:
            self.deleted += running[1:]
        elif not running and self._is_in(self.seen.fits.run, name):
            self.created.append(name)
        elif len(running) > 1:
            self.deleted += self._outlived(running)

    def _outlived(self, running: Sequence[Obj]) -> list[Obj]:
        """Return which pods of a node go while surging: one new and, until that is available, one ready old stay."""
        new = [pod for pod in running if labels_of(pod).get(POD_HASH) == self.hash]
        old = [pod for pod in running if pod not in new]
        gone = [*new[1:], *old[1:]]
        if new and old and (not is_ready(old[0]) or self.is_available(new[0])):
            gone.append(old[0])
        return gone

    def _end(self, name: str, pod: Obj) -> None:
        """Delete a pod that ended; when those before it on the node failed too, not at once."""
        key, phase = key_of(pod), phase_of(pod)
        about = f"daemon pod {key.namespace}/{key.name} on node {name}"
        if phase == "Succeeded":
            self._emit("Normal", "SucceededDaemonPod", f"Found succeeded {about}, will try to delete it")
        else:
            known = self._delay(name) or noted_delay(pod, self._observed())
            if known is not None and self.now < known[1] + known[0]:
                (self.retries if known[0] >= LONGEST_DELAY else self.wakes).append(known[1] + known[0])
                return
            self._emit("Warning", "FailedDaemonPod", f"Found failed {about}, will try to kill it")
        self.deleted.append(pod)

    def _observed(self) -> int:
        return int((self.ds.get("status") or {}).get("observedGeneration") or 0)

    def _delay(self, node: str) -> tuple[float, float] | None:
        return self.seen.delays.get((self.ds["metadata"]["uid"], self._observed(), node))

    # Pods of another revision are replaced.

    def limits(self) -> tuple[int, int]:
        """Return maxSurge and maxUnavailable in pods, as updatedDesiredNodeCounts."""
        desired = self.seen.fits.run.bit_count()
        rolling = (self.spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
        surge = scaled(rolling.get("maxSurge"), desired, round_up=True)
        missing = scaled(rolling.get("maxUnavailable"), desired, round_up=True)
        return surge, missing if surge or missing else 1

    def _replace(self) -> None:
        """Delete old pods: those not available at once, others as far as maxUnavailable allows."""
        living = self.single & ~self.deleting
        new, old = living & self.updated, living & ~self.updated
        broken = old & ~self.available
        unavailable = (self.deleting | new & ~self.available | broken).bit_count()
        candidates = self._named(old & self.available)
        replaced = self._named(broken)
        for name in self._named(self.several):
            fresh, stale, is_clear = self._told_apart(name)
            if is_clear and stale is not None and fresh is None and self.is_available(stale):
                candidates.append(name)
            elif not (is_clear and fresh is not None and stale is None and self.is_available(fresh)):
                unavailable += 1
                if is_clear and stale is not None and fresh is None:
                    replaced.append(name)
        room = max(self.limits()[1] - unavailable, 0)
        for name in (*replaced, *sorted(candidates)[:room]):
            self.deleted += [pod for pod in self.seen.on(name) if not is_deleting(pod)]

    def _told_apart(self, name: str) -> tuple[Obj | None, Obj | None, bool]:
        """Return a node's new and its old pod, and whether it has no more than one of each."""
        pods = [pod for pod in self.seen.on(name) if not is_deleting(pod)]
        new = [pod for pod in pods if self.is_updated(pod)]
        old = [pod for pod in pods if pod not in new]
        if len(new) > 1 or len(old) > 1:
            return None, None, False
        return new[0] if new else None, old[0] if old else None, True

    def _surge(self) -> None:
        """Make new pods beside old ones, as many as maxSurge allows; an old one goes when its new one is available."""
        fits = self.seen.fits
        living = self.single & ~self.deleting
        old = living & ~self.updated
        available = (living & self.available).bit_count()
        surging = 0
        broken, sound = old & ~self.available, old & self.available
        moved = self._named(sound & ~fits.run)
        self.deleted += [self.seen.on(name)[0] for name in self._named(broken & ~fits.run)]
        allowed, candidates = self._named(broken & fits.run), self._named(sound & fits.run)
        for name in self._named(self.several):
            fresh, stale, is_clear = self._told_apart(name)
            counted = stale or fresh
            available += counted is not None and self.is_available(counted)
            if not is_clear or (fresh is not None and stale is not None and not self.is_available(fresh)):
                surging += 1
            elif stale is not None and fresh is not None:
                self.deleted.append(stale)
            elif stale is not None:
                runs, serves = self._is_in(fits.run, name), self.is_available(stale)
                if runs:
                    (candidates if serves else allowed).append(name)
                elif serves:
                    moved.append(name)
                else:
                    self.deleted.append(stale)
        for name in sorted(moved)[: max(available - fits.run.bit_count(), 0)]:
            self.deleted += [pod for pod in self.seen.on(name) if not is_deleting(pod)]
        self.created += [*allowed, *sorted(candidates)[: max(self.limits()[0] - surging, 0)]]

    # What comes of it.

    def _sync_nodes(self) -> None:
        """Turn what was found into actions, as syncNodes."""
        if self.created:
            base, template = f"{self.ds['metadata']['name']}-", self._template()
            for name, child in zip(self.created[:BURST], self._new_names(base), strict=False):
                pod = for_node(from_template(template, self.ds, child, base), name)
                if (known := self._delay(name)) is not None:
                    pod = with_delay(pod, known[0], self._observed())
                self.actions.append(Create("pods", pod))
                self._emit("Normal", "SuccessfulCreate", f"Created pod: {child}")
        for pod in self.deleted[:BURST]:
            self.actions.append(Delete("pods", key_of(pod), pod["metadata"]["uid"]))
            self._emit("Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _new_names(self, base: str) -> Iterator[str]:
        """Yield names for pods made now, never that of a pod that was there before.

        They derive from the set and the instant, so that a decision replayed within it collides with itself.
        """
        owner = f"{self.ds['metadata']['uid']}@{self.now:.3f}"
        made = (names.child_name(base, owner, slot) for slot in count())
        return (name for name in made if not self.seen.is_taken(name))

    def _template(self) -> Obj:
        """Return what pods are made of, as CreatePodTemplate."""
        template = self.spec["template"]
        meta = template.get("metadata") or {}
        labels = dict(meta.get("labels") or {})
        if self.generation:
            labels[GENERATION] = self.generation
        labels[POD_HASH] = self.hash
        spec = {**template["spec"], "tolerations": tolerations_of(template["spec"])}
        return {"metadata": {**meta, "labels": labels}, "spec": spec}

    def status(self) -> Obj:
        """Return the status, as updateDaemonSetStatus: of several pods on a node the oldest counts."""
        fits = self.seen.fits
        oldest = [by_age(self.seen.on(name))[0] for name in self._named(self.several & fits.run)]
        there = self.single & fits.run
        ready = [pod for pod in oldest if is_ready(pod)]
        available = (there & self.available).bit_count() + sum(map(self.is_available, ready))
        desired = fits.run.bit_count()
        counts = {
            "currentNumberScheduled": (self.any & fits.run).bit_count(),
            "numberMisscheduled": (self.any & fits.nodes & ~fits.run).bit_count(),
            "desiredNumberScheduled": desired,
            "numberReady": (there & self.ready).bit_count() + len(ready),
            "observedGeneration": self.ds["metadata"].get("generation", 0),
            "updatedNumberScheduled": (there & self.updated).bit_count() + sum(map(self.is_updated, oldest)),
            "numberAvailable": available,
            "numberUnavailable": desired - available,
        }
        before = self.ds.get("status") or {}
        kept = {name: value for name, value in before.items() if name == "conditions"}
        if self.collisions:
            kept["collisionCount"] = self.collisions
        return {name: n for name, n in counts.items() if n or name not in OMITTED_ZEROS} | kept

    def surplus(self) -> list[Delete]:
        """Return what deletes old revisions, as cleanupHistory: those of living pods stay, and count."""
        limit = self.spec.get("revisionHistoryLimit")
        excess = len(self.old) - (10 if limit is None else limit)
        hashes = {value for name, value in self.seen.daemons.flags if name == "hash"}
        for name in self._named(self.several):
            hashes |= {labels_of(pod).get(POD_HASH, "") for pod in self.seen.on(name)}
        idle = [one for one in revisions.by_number(self.old) if labels_of(one).get(POD_HASH) not in hashes]
        gone = idle[: max(excess, 0)]
        return [Delete(revisions.REVISIONS, key_of(one), one["metadata"]["uid"]) for one in gone]

    def _named(self, nodes: int) -> list[str]:
        """Return the nodes by name, in order."""
        return sorted(self.seen.numbers.names[number] for number in each(nodes))

    def _is_in(self, nodes: int, name: str) -> bool:
        return bool(nodes >> self.seen.numbers.of(name) & 1)

    def _emit(self, type_: str, reason: str, message: str) -> None:
        self.actions.append(Emit(self.ds, type_, reason, message))


def by_age(pods: Iterable[Obj]) -> list[Obj]:
    """Return a node's pods, the oldest first, as podByCreationTimestampAndPhase."""

    def age(pod: Obj) -> tuple[bool, str, str]:
        meta = pod["metadata"]
        return not pod["spec"].get("nodeName"), meta.get("creationTimestamp") or "", meta["name"]

    return sorted(pods, key=age)


def with_delay(pod: Obj, delay: float, generation: int) -> Obj:
    """Note on a pod that replaces a failed one how long the next would wait: upstream remembers it in memory."""
    meta = pod["metadata"]
    noted = {**(meta.get("annotations") or {}), BACKOFF: f"{delay:g}s of generation {generation}"}
    return {**pod, "metadata": {**meta, "annotations": noted}}


def noted_delay(pod: Obj, generation: int) -> tuple[float, float] | None:
    """Return what :func:`with_delay` noted on a pod, and since when it holds."""
    noted = NOTED.fullmatch(annotations_of(pod).get(BACKOFF, ""))
    if noted is None or int(noted[2]) != generation:
        return None
    return float(noted[1]), parse_time(pod["metadata"]["creationTimestamp"])


def for_node(pod: Obj, name: str) -> Obj:
    """Return the pod bound to be for one node, as ReplaceDaemonSetPodNodeNameNodeAffinity."""
    field = {"key": "metadata.name", "operator": "In", "values": [name]}
    affinity = pod["spec"].get("affinity") or {}
    nodes = {
        **(affinity.get("nodeAffinity") or {}),
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]},
    }
    return {**pod, "spec": {**pod["spec"], "affinity": {**affinity, "nodeAffinity": nodes}}}


def decide(seen: Seen, now: float) -> Decision:
    """Say what one sync of the set does, as syncDaemonSet; nothing once it is being deleted."""
    ds = seen.ds
    if is_deleting(ds):
        return Decision()
    claimed: list[Action] = [adopt(revisions.REVISIONS, ds, one) for one in seen.orphans]
    claimed += [adopt("pods", ds, pod) for pod in seen.adoptable]
    claimed += [release("pods", ds, pod) for pod in seen.strays]
    if claimed:
        return Decision(tuple(claimed))
    sync = Sync(seen, now)
    sync.run()
    sync.actions += sync.surplus()
    status = sync.status()
    if status != (ds.get("status") or {}):
        sync.actions.append(update_status(DAEMONSETS, ds, status))
    wakes, retries = ([at for at in times if at > now] for times in (sync.wakes, sync.retries))
    return Decision(tuple(sync.actions), min([*wakes, *retries], default=None), periodic=not wakes)
