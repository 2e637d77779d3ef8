"""daemonset-controller: a pod on every node where it belongs.

In: a DaemonSet, nodes, its pods (a fold by node), its ControllerRevisions. Out: pods and revisions
made, deleted, adopted, released; the status. What a sync decides is in
:mod:`kctl.controllers.daemonset_sync`; this module reads, writes and knows what wakes which set.

Pods carry the name of their node in an affinity; binding them is the scheduler's business. As
upstream's, the controller remembers when pods failed on a node until it is restarted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from kctl.api import names
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, controller_of, controller_uid, is_deleting, key_of, labels_of
from kctl.api.selectors import from_label_selector
from kctl.client.cache import LABELS, SPEC, Caches, by_controller
from kctl.client.client import Client
from kctl.controllers import revisions
from kctl.controllers.daemonset_nodes import (
    ON,
    Judge,
    Numbers,
    by_daemon_and_node,
    daemons,
    is_of_daemons,
    shares_of,
)
from kctl.controllers.daemonset_sync import DAEMONSETS, FIRST_DELAY, LONGEST_DELAY, Seen, decide, noted_delay
from kctl.controllers.ownership import is_adoptable, orphans
from kctl.controllers.pods import is_terminal
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Create, Emit, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.events import Recorder


class DaemonSetController(Controller):
    """Keeps a pod of each DaemonSet on every node that fits."""

    name = "daemonset-controller"
    user = "system:serviceaccount:kube-system:daemon-set-controller"
    level = 30
    reads = (DAEMONSETS, "pods", "nodes", revisions.REVISIONS)
    writes = ("pods", revisions.REVISIONS, DAEMONSETS, "events")

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._judges: dict[str, Judge] = {}
        self._delays: dict[tuple[str, int, str], tuple[float, float]] = {}
        self._pod: Callable[[Key], Obj | None] = _nothing
        self.watches = (
            Watch(DAEMONSETS, keys_of_self),
            Watch("pods", keys_of_pod, ON, where=_may_concern),
            Watch("nodes", self._keys_of_node, LABELS | SPEC),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the fold and the index of pods by node, the indexes of owned and ownerless objects."""
        self._pod = caches["pods"].get
        daemons(caches["pods"], self._numbers)
        by_daemon_and_node(caches["pods"])
        for resource in ("pods", revisions.REVISIONS):
            by_controller(caches[resource])
            orphans(caches[resource])

    def _judge(self, ds: Obj) -> Judge:
        """Return who knows where the set's pods belong; a new template is judged anew."""
        uid, template = ds["metadata"]["uid"], ds["spec"]["template"]
        known = self._judges.get(uid)
        if known is None or (known.template is not template and known.template["spec"] != template["spec"]):
            known = self._judges[uid] = Judge(template)
        return known

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the set, where its pods are and belong, its revisions; single pods on demand."""
        ds = caches[DAEMONSETS].get(key)
        if ds is None:
            return None
        pods, known, uid = caches["pods"], caches[revisions.REVISIONS], ds["metadata"]["uid"]
        selector = from_label_selector(ds["spec"]["selector"])
        found = daemons(pods, self._numbers).get(uid)
        ownerless = orphans(pods).get(key.namespace) if orphans(pods).count(key.namespace) else ()
        free = orphans(known).get(key.namespace) if orphans(known).count(key.namespace) else ()
        strays: tuple[Obj, ...] = ()
        if any(not selector.matches(dict(labels)) for labels in found.groups):
            mine = by_controller(pods).get(uid)
            strays = tuple(pod for pod in mine if not selector.matches(labels_of(pod)) and not is_deleting(pod))

        observed = (ds.get("status") or {}).get("observedGeneration")
        return Seen(
            ds,
            found,
            self._judge(ds).all(caches["nodes"], self._numbers),
            self._numbers,
            lambda node: by_daemon_and_node(pods).get((uid, node)),
            tuple(one for one in by_controller(known).get(uid) if selector.matches(labels_of(one))),
            {one["metadata"]["name"]: one for one in known.in_namespace(key.namespace)}
            if observed != ds["metadata"].get("generation")
            else {},
            self._delays,
            lambda name: pods.get(Key(key.namespace, name)) is not None,
            tuple(pod for pod in ownerless if not is_terminal(pod) and is_adoptable(ds, selector, pod)),
            strays,
            tuple(one for one in free if is_adoptable(ds, selector, one)),
        )

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what one sync does; see :func:`kctl.controllers.daemonset_sync.decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; pods are created in batches of 1, 2, 4, ... until one fails."""
        recorder = Recorder(client, now=now, component=self.name)
        failed: StatusError | None = None
        pairs = [
            (one, two) for one, two in pairwise(decision.actions) if isinstance(one, Create) and isinstance(two, Emit)
        ]
        for action in decision.actions:
            if isinstance(action, Create) and action.resource == "pods":
                if pairs and action is pairs[0][0]:
                    failed = self._create(client, pairs, recorder, now)
                continue
            if isinstance(action, Emit) and action.reason == "SuccessfulCreate":
                continue
            if isinstance(action, Emit) and action.reason == "FailedDaemonPod":
                self._note_failure(action, now)
            if isinstance(action, Update) and failed is not None:
                status = {**action.obj["status"], "observedGeneration": action.obj["metadata"].get("generation", 0)}
                action = action._replace(obj={**action.obj, "status": status})
            carry_out_one(client, action, now=now, component=self.name, recorder=recorder)
        if failed is not None:
            raise failed

    def _create(
        self, client: Client, pairs: Sequence[tuple[Create, Emit]], recorder: Recorder, now: float
    ) -> StatusError | None:
        """Create pods in growing batches; return the first refusal."""
        start, size = 0, 1
        refused: StatusError | None = None
        while start < len(pairs) and refused is None:
            for create, emit in pairs[start : start + size]:
                try:
                    carry_out_one(client, create, now=now, component=self.name)
                except StatusError as error:
                    if _namespace_is_terminating(error):
                        return None
                    message = _about_any(error.message, create.obj)
                    refused = refused or StatusError(error.code, error.reason, message, details=error.details)
                    message = f"Error creating: {message}"
                    recorder.record(Emit(emit.regarding, "Warning", "FailedCreate", message, once=True))
                else:
                    recorder.record(emit)
            start, size = start + size, size * 2
        return refused

    def _noted(self, emit: Emit, generation: int) -> tuple[float, float] | None:
        """Return what an earlier process noted on the pod that failed."""
        name = emit.message.removeprefix("Found failed daemon pod ").partition(" on node ")[0].rpartition("/")[2]
        pod = self._pod(Key(emit.regarding["metadata"]["namespace"], name))
        return noted_delay(pod, generation) if pod is not None else None

    def _note_failure(self, emit: Emit, now: float) -> None:
        """Remember that a failed pod is replaced on a node: the next one there has to wait, as failedPodsBackoff."""
        ds = emit.regarding
        node = emit.message.rsplit(" on node ", 1)[1].partition(",")[0]
        key = (ds["metadata"]["uid"], (ds.get("status") or {}).get("observedGeneration") or 0, node)
        delay, since = self._delays.get(key) or self._noted(emit, key[1]) or (0.0, now)
        is_over = now - since > 2 * LONGEST_DELAY
        self._delays[key] = (min(delay * 2, LONGEST_DELAY) if delay and not is_over else FIRST_DELAY, now)

    def _keys_of_node(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Map a node to the sets whose pods it newly gets, loses or may no longer keep."""
        found = []
        for ds in caches[DAEMONSETS].all():
            judge = self._judge(ds)
            before, after = (judge.one(node) if node is not None else (False, False) for node in (old, new))
            if before != after or (old is None) != (new is None):
                found.append(key_of(ds))
        return found


def _nothing(key: Key) -> None:
    """Find nothing: what a controller sees that was not prepared."""


def _about_any(message: str, pod: Obj) -> str:
    """Return a refusal with a name in it that the next try is refused with, too: it is that of no pod."""
    meta = pod["metadata"]
    return message.replace(meta["name"], names.child_name(meta["generateName"], controller_uid(pod) or "", 0))


def _namespace_is_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _may_concern(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a DaemonSet, or nobody, controls the pod before or after."""
    return any(pod is not None and (not controller_uid(pod) or is_of_daemons(pod)) for pod in (old, new))


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to the DaemonSet that controls it, or, when nobody does, to those that might adopt it."""
    if old is not None and new is not None:
        owner = controller_of(new)
        same = owner is not None and owner == controller_of(old)
        if same and owner is not None and (owner["kind"] != "DaemonSet" or shares_of(old) == shares_of(new)):
            return []
    found: dict[Key, None] = {}
    for pod in (old, new):
        owner = controller_of(pod) if pod is not None else None
        if pod is not None and owner is not None and owner["kind"] == "DaemonSet":
            found.setdefault(Key(key_of(pod).namespace, owner["name"]))
    if new is not None and not controller_uid(new) and not is_deleting(new):
        labels = labels_of(new)
        for ds in caches[DAEMONSETS].in_namespace(key_of(new).namespace):
            if from_label_selector(ds["spec"]["selector"]).matches(labels):
                found.setdefault(key_of(ds))
    return list(found)
