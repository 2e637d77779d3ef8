"""deployment-controller: roll a Deployment's ReplicaSets from one pod template to the next.

In: a Deployment, the ReplicaSets of its namespace that it controls or may adopt, and which of
them still have pods. Out: ReplicaSets created, scaled and cleaned up, and the status.

The order of a sync is upstream's syncDeployment: adopt, deleted, paused, scaling event, then
the strategy. Its parts: :mod:`deployment_draft` (what has been decided so far in a sync),
:mod:`deployment_history` (which ReplicaSet is the new one, revisions, clean-up),
:mod:`deployment_rolling` (both strategies), :mod:`deployment_scaling`,
:mod:`deployment_status`. The rollback annotation of the removed extensions/v1beta1 API is not
here: ``kubectl rollout undo`` patches the template itself.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, controller_of, controller_uid, is_deleting, key_of, labels_of
from kctl.api.selectors import from_label_selector
from kctl.client.cache import STATUS, Caches, by_controller
from kctl.client.client import Client
from kctl.controllers import deployment_history as history
from kctl.controllers import deployment_rolling as rolling
from kctl.controllers import deployment_scaling as scaling
from kctl.controllers import deployment_status as statuses
from kctl.controllers.deployment_draft import DEPLOYMENTS, REPLICASETS, Draft
from kctl.controllers.ownership import is_adoptable, orphans, owned_pods
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Create, Emit, Patch
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.queue import Limiter


class Seen(NamedTuple):
    """What is decided on; ``with_pods`` are the uids of ReplicaSets that still have pods running."""

    deployment: Obj
    owned: tuple[Obj, ...]
    adoptable: tuple[Obj, ...] = ()
    with_pods: frozenset[str] = frozenset()


class DeploymentController(Controller):
    """Rolls out Deployments."""

    name = "deployment-controller"
    user = "system:serviceaccount:kube-system:deployment-controller"
    level = 40
    reads = (DEPLOYMENTS, REPLICASETS, "pods")
    writes = (DEPLOYMENTS, REPLICASETS, "events")
    limiter = Limiter(most=15)
    """As upstream's maxRetries: what was refused more often waits for a change of the Deployment or what it owns."""

    def __init__(self) -> None:
        self.watches = (
            Watch(DEPLOYMENTS, keys_of_self),
            Watch(REPLICASETS, keys_of_replicaset),
            Watch("pods", keys_of_gone_pod, STATUS, alike=True),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of ReplicaSets by owner and of orphans, and the fold of pods."""
        by_controller(caches[REPLICASETS])
        orphans(caches[REPLICASETS])
        owned_pods(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Deployment and its ReplicaSets."""
        deployment = caches[DEPLOYMENTS].get(key)
        if deployment is None:
            return None
        replicasets = caches[REPLICASETS]
        selector = from_label_selector(deployment["spec"]["selector"])
        owned = by_controller(replicasets).get(deployment["metadata"]["uid"])
        free = orphans(replicasets).get(key.namespace)
        adoptable = tuple(rs for rs in free if is_adoptable(deployment, selector, rs))
        fold = owned_pods(caches["pods"])
        with_pods = frozenset(rs["metadata"]["uid"] for rs in owned if fold.get(rs["metadata"]["uid"]).by_labels)
        return Seen(deployment, tuple(owned), adoptable, with_pods)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what the rollout needs next; see :func:`decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; a new ReplicaSet that cannot be made ends the sync with a condition."""
        for action in decision.actions:
            try:
                if isinstance(action, Create):
                    client.create(action.resource, action.obj)
                else:
                    carry_out_one(client, action, now=now, component=self.name)
            except StatusError as error:
                if not isinstance(action, Create) or not _is_ours_already(client, action.obj, error):
                    if isinstance(action, Create):
                        self._report_failure(client, action.obj, error, now)
                    raise

    def _report_failure(self, client: Client, rs: Obj, error: StatusError, now: float) -> None:
        """Say in the status why there is no new ReplicaSet, as getNewReplicaSet."""
        namespace, owner = key_of(rs).namespace, controller_of(rs)
        deployment = client.get(DEPLOYMENTS, namespace, owner["name"] if owner else "")
        status = deployment.get("status") or {}
        change: Obj = {}
        if error.reason == "AlreadyExists":
            change = {"collisionCount": (status.get("collisionCount") or 0) + 1}
        elif not _namespace_is_terminating(error):
            message = f'Failed to create new replica set "{rs["metadata"]["name"]}": {error.message}'
            event = Emit(deployment, "Warning", "ReplicaSetCreateError", message, once=True)
            carry_out_one(client, event, now=now, component=self.name)
            if statuses.has_deadline(deployment):
                failed = statuses.new_condition("Progressing", "False", "ReplicaSetCreateError", message, now)
                change = {"conditions": statuses.set_condition(status.get("conditions") or [], failed)}
        if change and any(status.get(name) != value for name, value in change.items()):
            patch = Patch(DEPLOYMENTS, key_of(deployment), {"status": change}, "merge", "status")
            carry_out_one(client, patch, now=now, component=self.name)


def decide(seen: Seen, now: float) -> Decision:
    """Say what one sync of the Deployment does, as syncDeployment."""
    deployment = seen.deployment
    selector = from_label_selector(deployment["spec"]["selector"])
    draft = Draft(deployment, now)
    mine = draft.claim(seen.owned, seen.adoptable, selector)
    wake_at: float | None = None
    if is_deleting(deployment):
        history.find(draft, mine)
        statuses.write_scaled(draft)
        return draft.decision()
    _note_pause(draft)
    history.find(draft, mine)
    if deployment["spec"].get("paused"):
        scaling.scale(draft)
        history.clean_up(draft)
        statuses.write_scaled(draft)
    elif scaling.is_scaling_event(draft):
        scaling.scale(draft)
        statuses.write_scaled(draft)
    else:
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            rolling.recreate(draft, seen.with_pods)
        else:
            rolling.roll(draft)
        wake_at = statuses.write_rollout(draft)
    if any(isinstance(action, Create) for action in draft.actions):
        wake_at = None  # a new ReplicaSet wakes the Deployment; one that is refused leaves nothing to wait for
    return draft.decision(wake_at)


def _note_pause(draft: Draft) -> None:
    """Mark the start and the end of a pause, so that it does not count as lack of progress."""
    if not statuses.has_deadline(draft.deployment):
        return
    current = draft.condition("Progressing")
    reason = current["reason"] if current else ""
    if reason == statuses.TIMED_OUT:
        return
    paused = bool(draft.deployment["spec"].get("paused"))
    if paused and reason != "DeploymentPaused":
        draft.set_condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    elif not paused and reason == "DeploymentPaused":
        draft.set_condition("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")


def keys_of_replicaset(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a ReplicaSet to its Deployment, or, when nobody controls it, to those that might adopt it."""
    keys: list[Key] = []
    for rs in (old, new):
        ref = controller_of(rs) if rs is not None else None
        if rs is not None and ref is not None and ref["kind"] == "Deployment":
            key = Key(key_of(rs).namespace, ref["name"])
            if key not in keys:
                keys.append(key)
    if new is not None and not controller_uid(new) and not is_deleting(new):
        labels = labels_of(new)
        near = caches[DEPLOYMENTS].in_namespace(key_of(new).namespace)
        keys += [key_of(one) for one in near if from_label_selector(one["spec"]["selector"]).matches(labels)]
    return keys


def keys_of_gone_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod that is gone or finished to its Deployment when that recreates: it may be waiting."""
    pod = old
    if pod is None or (new is not None and not _finished(old, new)):
        return []
    ref = controller_of(pod)
    if ref is None or ref["kind"] != "ReplicaSet":
        return []
    rs = caches[REPLICASETS].get(Key(key_of(pod).namespace, ref["name"]))
    owner = controller_of(rs) if rs is not None else None
    if owner is None or owner["kind"] != "Deployment":
        return []
    key = Key(key_of(pod).namespace, owner["name"])
    deployment = caches[DEPLOYMENTS].get(key)
    recreates = deployment is not None and (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"
    return [key] if recreates else []


def _finished(old: Obj | None, new: Obj) -> bool:
    phase = (new.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed") and ((old or {}).get("status") or {}).get("phase") != phase


def _is_ours_already(client: Client, rs: Obj, error: StatusError) -> bool:
    """Say whether the name is taken by the very ReplicaSet we want."""
    if error.reason != "AlreadyExists":
        return False
    key = key_of(rs)
    there = client.get(REPLICASETS, key.namespace, key.name)
    same = history.same_template(there["spec"]["template"], rs["spec"]["template"])
    return same and controller_uid(there) == controller_uid(rs)


def _namespace_is_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
