"""The simulated kubelets of all nodes, as one controller over pods.

In: bound pods, their nodes, the ConfigMaps and Secrets they name. Out: pod statuses, events,
and the final delete of a pod that has ended. The decision is :func:`kctl.kubelet.pod.advance`;
here is only what feeds it and what wakes it. A kubelet whose node is gone or not heard of
does nothing. A missing ConfigMap or Secret is looked at again the moment it changes, where
the real kubelet waits for its next sync.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from kctl.api.behaviour import booted_at, shutting_down_since
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, Index, by_claim, by_node
from kctl.client.client import Client
from kctl.kubelet import admission, facts, pulls, references, resizing
from kctl.kubelet.addresses import pod_address
from kctl.kubelet.behaviour import Behaviours, PodBehaviour
from kctl.kubelet.containers import waiting_reason
from kctl.kubelet.likeness import Cohort, Lives, Machine, has_waiting
from kctl.kubelet.phase import TERMINAL
from kctl.kubelet.pod import Known, is_settled, is_silent, node_ip
from kctl.kubelet.resizing import is_deferred, may_be_resized
from kctl.runtime.act import carry_out
from kctl.runtime.actions import Action, Delete, Emit, Update, update_status
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch, is_bound
from kctl.runtime.profile import Profile

COMPONENT = "kubelet"
"""What events name as their source."""
USER = "system:node:simulated"
"""One user for all simulated kubelets; the real ones are ``system:node:<name>`` each."""

TOLD_ONCE = "FailedMount"
"""What a kubelet that looks again at the same instant would say again."""
DEVICE_CLAIMS = "resourceclaims.resource.k8s.io"
REFERENCES = "kubelet references"
REFUSED = "kubelet refused images"


class Seen(NamedTuple):
    """A pod, its node, and what its kubelet knows."""

    pod: Obj
    node: Obj | None
    known: Known


class Kubelet(Controller):
    """Runs the pods of every node."""

    name = "kubelet"
    user = USER
    level = 20
    """Below the workload controllers: what all pods do at an instant is one change to their owners."""
    reads = ("nodes",)
    writes = ("pods", "events")
    component = COMPONENT
    batch = 512

    def __init__(self, profile: Profile, world: Behaviours) -> None:
        self.profile = profile
        self.world = world
        self._lives = Lives(profile)
        self._references = references.Named()
        self._folds: facts.Folds | None = None
        self._images: dict[str, tuple[Obj, facts.Images, dict[str, float]]] = {}
        self._written: dict[Key, Obj] = {}
        """Pods as this kubelet has just written them, until it hears of that."""
        self._refused: Mapping[Hashable, object] = {}
        """The nodes with pods that wait for another."""
        self.watches = (
            Watch("pods", self._keys_of_pod, META | SPEC | STATUS, where=is_bound),
            Watch("nodes", self._node_keys),
            Watch("configmaps", self._reference_keys("configmaps")),
            Watch("secrets", self._reference_keys("secrets")),
            Watch("persistentvolumeclaims", self._claim_keys),
            Watch(DEVICE_CLAIMS, self._device_keys),
        )

    def prepare(self, caches: Caches) -> None:
        """Register what kubelets keep in memory."""
        pods = caches["pods"]
        self._folds = facts.prepare(pods, self.profile, self.world)
        self._waiting_for(pods)
        self._refused = _refused(pods).found

    def place(self, caches: Caches, key: Key) -> Hashable | None:
        """Return the pod range of the pod's node: kubelets share nothing, unless nodes share addresses."""
        pod = caches["pods"].get(key)
        node = None if pod is None else caches["nodes"].get(Key("", pod["spec"].get("nodeName") or ""))
        if pod is None or node is None:
            return key
        place, address = self._lives.machine(node).place, (pod.get("status") or {}).get("podIP")
        if not place or (address and not address.startswith(place) and not pod["spec"].get("hostNetwork")):
            return None
        return place

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the pod, its node, and what a pod that has yet to start needs to know."""
        pod = caches["pods"].get(key)
        if pod is None or not pod["spec"].get("nodeName"):
            return None
        node = caches["nodes"].get(Key("", pod["spec"]["nodeName"]))
        behaviour = self.world.pod(pod)
        known = Known(behaviour=behaviour, world=self.world)
        if node is None:
            return Seen(pod, node, known)
        machine, cohort = self._lives.machine(node), self._lives.cohort(pod)
        if cohort.is_waiting:
            known = self._known(caches, pod, machine, behaviour, cohort)
        if machine.is_shutting_down:
            known = self._shutting_down(caches, pod, node, known)
        if may_be_resized(pod) and resizing.is_asked(pod):
            waits = resizing.waits(pod, node, by_node(caches["pods"]).get(node["metadata"]["name"]))
            known = known._replace(waits=waits)
        return Seen(pod, node, known)

    def _shutting_down(self, caches: Caches, pod: Obj, node: Obj, known: Known) -> Known:
        """Know when a pod is to end whose machine goes off; one that comes now is not taken."""
        from kctl.kubelet import shutdown

        if not dig(pod, "status", "startTime"):
            return known._replace(refusal=shutdown.REFUSAL, victims=())
        on_node = by_node(caches["pods"]).get(node["metadata"]["name"])
        return known._replace(turn=shutdown.turn_of(pod, node, on_node, self.world, self.profile))

    def _known(
        self, caches: Caches, pod: Obj, machine: Machine, behaviour: PodBehaviour | None, cohort: Cohort
    ) -> Known:
        """Know all that a pod that has yet to start depends on."""
        objects = cohort.objects(caches) if cohort.references else {}
        node, pods, status = machine.node, caches["pods"], pod.get("status") or {}
        name = node["metadata"]["name"]
        images, queues, used = self._folds or facts.prepare(pods, self.profile, self.world)
        address = ""
        if not status.get("podIP") and not pod["spec"].get("hostNetwork"):
            address = pod_address(node.get("spec", {}).get("podCIDR") or "", used.get)
        refused: tuple[str, str] | None = None
        victims: tuple[Obj, ...] = ()
        if cohort.is_by_hand:
            from kctl.kubelet.preemption import verdict

            refused, victims = verdict(pod, node, by_node(pods).get(name))
        elif machine.is_pressed and not status.get("startTime"):
            refused = admission.pressed(pod, node)
        volumes: tuple[str, ...] = ()
        if cohort.has_claims:
            from kctl.kubelet.volumes import waited_for

            volumes = waited_for(caches, pod, node)
        unprepared = ""
        if pod["spec"].get("resourceClaims"):
            from kctl.kubelet.devices import unprepared_for

            unprepared = unprepared_for(pod, caches[DEVICE_CLAIMS])
        there = self._images_on(node, images.get(name))
        queue = queues.get(name)
        return Known(
            objects, there, address, queue, refused, behaviour, self.world, volumes, victims, unprepared=unprepared
        )

    def _images_on(self, node: Obj, images: facts.Images) -> dict[str, float]:
        """Return since when each image is on the node; worked out anew when the node or its pods have changed."""
        name = node["metadata"]["name"]
        known = self._images.get(name)
        if known is None or known[0] is not node or known[1] is not images:
            known = self._images[name] = (node, images, facts.images_on(node, images))
        return known[2]

    def decide(self, seen: Seen, now: float) -> Decision:
        """Turn the pod's next step into actions."""
        pod = seen.pod
        step = self._lives.advance(pod, seen.node, seen.known, now)
        actions: list[Action] = []
        if step.status is not None:
            actions.append(update_status("pods", pod, step.status, self._lives.like))
        host = pod["spec"]["nodeName"]
        actions += [
            Emit(pod, type_, reason, message, "", path, host, reason == TOLD_ONCE)
            for type_, reason, message, path in step.events
        ]
        if seen.known.victims and seen.node is not None:
            from kctl.kubelet.preemption import evicted

            for victim in seen.known.victims:
                actions += evicted(victim, seen.node, now, self.profile)
        if step.is_gone:
            actions.append(Delete("pods", key_of(pod), pod["metadata"]["uid"], grace=0))
        return Decision(tuple(actions), step.wake_at, step.is_periodic)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out, and remember what was written: nothing new follows from it at this instant."""
        if not decision.actions:
            return
        first, *others = decision.actions
        if isinstance(first, Update):
            pod = client.update(first.resource, first.obj, subresource=first.subresource, like=first.like)
            if decision.wake_at is not None or is_settled(pod, self.world.pod(pod)):
                self._written[key_of(pod)] = pod
        else:
            others = list(decision.actions)
        carry_out(client, others, now=now, component=COMPONENT)

    def _keys_of_pod(self, old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        """Wake the pod unless it is settled or as just written, and those that wait for what it has brought."""
        pod = new or old
        node = pod["spec"].get("nodeName") if pod else None
        if not pod or not node:
            return ()
        key = key_of(pod)
        is_own = new is not None and self._written and self._written.pop(key, None) is new
        keys = {} if new is None or is_own or is_settled(new, self.world.pod(new)) else {key: None}
        keys |= self._waiting_on(node, old, new, caches)
        if is_own:
            keys.pop(key, None)
        return keys

    def _waiting_on(self, node: str, old: Obj | None, new: Obj | None, caches: Caches) -> dict[Key, None]:
        """Return the pods of a node that wait for what a pod has brought or let go of."""
        keys: dict[Key, None] = {}
        if node in self._refused:
            keys |= dict.fromkeys(key_of(pod) for pod in _refused(caches["pods"]).get(node))
        if old is not None and _gives_up_its_turn(old, new):
            waiting = pulls.queue_fold(caches["pods"]).get(node)
            keys |= dict.fromkeys(Key(asked.namespace, asked.pod) for asked in waiting)
        return keys

    def _node_keys(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Wake the pods of a node that comes up, speaks again, gets its address, was rebooted or shuts down."""
        if new is None:
            return []
        is_rebooted = booted_at(new) is not None and (old is None or booted_at(old) != booted_at(new))
        is_rebooted |= old is not None and shutting_down_since(old) != shutting_down_since(new)
        is_as_before = (
            old is not None
            and is_silent(old) == is_silent(new)
            and node_ip(old) == node_ip(new)
            and dig(old, "status", "volumesAttached") == dig(new, "status", "volumesAttached")
        )
        if is_as_before and not is_rebooted:
            return []
        found = by_node(caches["pods"]).get(new["metadata"]["name"])
        return [key_of(pod) for pod in found if is_rebooted or not is_settled(pod, self.world.pod(pod))]

    def _waiting_for(self, pods: Cache) -> Index:
        """Return the index of the pods that have yet to start by what they name."""

        def values(pod: Obj) -> Iterable[tuple[str, str, str]]:
            return self._references.places(pod) if _may_wait(pod) else ()

        return pods.index(REFERENCES, values, on=SPEC | STATUS, where=_may_wait, remembers=True)

    def _claim_keys(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Wake the pods that wait for a claim to be bound."""
        pods = by_claim(caches["pods"]).get(key_of(new)) if new is not None else ()
        return [key_of(pod) for pod in pods if pod["spec"].get("nodeName") and has_waiting(pod)]

    def _device_keys(self, old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        """Wake the pods that a claim for devices was reserved for only when they had their node."""
        if new is None:
            return []
        users = dig(new, "status", "reservedFor", default=())
        keys = [Key(key_of(new).namespace, user["name"]) for user in users if user.get("resource") == "pods"]
        pods = ((key, caches["pods"].get(key)) for key in keys)
        return [key for key, pod in pods if pod is not None and pod["spec"].get("nodeName") and has_waiting(pod)]

    def _reference_keys(self, resource: str) -> KeysOf:
        """Wake the pods that wait for a ConfigMap or Secret."""

        def keys(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
            obj = new or old
            if obj is None:
                return []
            key = key_of(obj)
            found = self._waiting_for(caches["pods"]).get((resource, key.namespace, key.name))
            return [key_of(pod) for pod in found]

        return keys


def _may_wait(pod: Obj) -> bool:
    is_pending = ((pod.get("status") or {}).get("phase") or "Pending") == "Pending"
    return is_pending and bool(pod["spec"].get("nodeName"))


def _refused(pods: Cache) -> Index:
    return pods.index(REFUSED, _refused_on, on=SPEC | STATUS, where=lambda pod: bool(_refused_on(pod)))


def _gives_up_its_turn(old: Obj, new: Obj | None) -> bool:
    """Say whether the pod leaves the queue of the image puller without having got its image."""
    if (old.get("status") or {}).get("phase") != "Pending" or is_deleting(old):
        return False
    has_ended = new is None or is_deleting(new) or (new.get("status") or {}).get("phase") in TERMINAL
    return has_ended and next(pulls.requests_of(old), None) is not None


def _refused_on(pod: Obj) -> Iterable[str]:
    """Return the node of a pod that waits for another: for an image it may not pull, an address, or room to grow."""
    status = pod.get("status") or {}
    if status.get("phase") != "Pending" or not status.get("startTime"):
        return (pod["spec"].get("nodeName", ""),) if is_deferred(pod) else ()
    is_without_address = not status.get("podIP")
    if is_without_address or any(
        waiting_reason(found) == "ErrImageNeverPull" for found in status.get("containerStatuses") or ()
    ):
        return (pod["spec"].get("nodeName", ""),)
    return ()
