"""VolumeBinding: every claim of the pod is bound to a volume the node reaches, or can be.

In: the pod's claims as the scheduler sees them (:mod:`kctl.scheduler.volumes`). Out: per node, which volumes its claims
would be bound to and which are to be provisioned; once a node is chosen, a :class:`Binding` that writes this and
knows when the volume controllers have done their part. It does not score (StorageCapacityScoring is off in 1.36).
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, annotations_of, is_deleting, key_of
from kctl.api.resourcelist import compare
from kctl.client.client import Client
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import SKIP, Cycle, No, PreBindError, Skip
from kctl.scheduler.match import labels_matching
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.volumes import CLAIMS, VOLUMES, Volumes, is_for_pod, reaches, version

NAME = "VolumeBinding"
NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
NO_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND_IMMEDIATE = No(NAME, ("pod has unbound immediate PersistentVolumeClaims",), True)


class PodClaims(NamedTuple):
    """A pod's claims: bound, and to be bound once the pod has its node."""

    bound: tuple[Obj, ...]
    delayed: tuple[Obj, ...]


class Choice(NamedTuple):
    """What a node means for the pod's claims: (claim, volume) pairs, and claims to provision for."""

    bindings: tuple[tuple[Obj, Obj], ...] = ()
    provisions: tuple[Obj, ...] = ()


class VolumeBinding:
    """Filters by volumes, and binds them once the node is chosen."""

    name = NAME

    def __init__(self, *, bind_timeout: int = 600) -> None:
        self.bind_timeout = float(bind_timeout)
        """So long a pod that has its node waits for its volumes, in seconds."""

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Refuse a pod whose claims are not there or should be bound already; step aside without claims."""
        if not cycle.pod.claims:
            return SKIP
        found = pod_claims(cycle.pod, cycle.cluster.volumes)
        if isinstance(found, No):
            return found
        cycle.data[self.name] = found
        return None

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node that bound volumes do not reach, or where open claims get none."""
        claims: PodClaims | None = cycle.data.get(self.name)
        if claims is None:
            return None
        _, reasons = choose(claims, node, cycle.cluster.volumes)
        return No(NAME, reasons, True) if reasons else None

    def reserve(self, cluster: Cluster, pod: PodInfo, node: str) -> Binding | None:
        """Promise volumes to the pod's claims; None when there is nothing to bind."""
        place = cluster.node(node)
        claims = pod_claims(pod, cluster.volumes) if pod.claims else None
        if place is None or not isinstance(claims, PodClaims) or not claims.delayed:
            return None
        choice, _ = choose(claims, place, cluster.volumes)
        return Binding(cluster, place, choice)


def pod_claims(pod: PodInfo, volumes: Volumes) -> PodClaims | No:
    """Sort the pod's claims, or refuse it, as podHasPVCs and GetPodVolumeClaims."""
    found: list[Obj] = []
    for name, is_ephemeral in pod.claims:
        claim = volumes.claim(pod.namespace, name)
        why = claim_problem(pod, name, claim, is_ephemeral)
        if why or claim is None:
            return No(NAME, (why,), True)
        found.append(claim)
    bound: list[Obj] = []
    delayed: list[Obj] = []
    for claim in found:
        if vol.is_fully_bound(claim):
            bound.append(claim)
        elif not claim["spec"].get("volumeName") and vol.is_delayed(
            claim, volumes.storage_class(vol.class_name(claim))
        ):
            delayed.append(claim)
        else:
            return UNBOUND_IMMEDIATE
    return PodClaims(tuple(bound), tuple(delayed))


def claim_problem(pod: PodInfo, name: str, claim: Obj | None, is_ephemeral: bool) -> str:
    """Return why the pod cannot be scheduled with the claim, "" when it can."""
    if claim is None:
        if is_ephemeral:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    if (claim.get("status") or {}).get("phase") == "Lost":
        volume = claim["spec"].get("volumeName") or ""
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if is_deleting(claim):
        return f'persistentvolumeclaim "{name}" is being deleted'
    if is_ephemeral and not is_for_pod(claim, pod):
        return f"PVC {pod.namespace}/{name} was not created for pod {pod.key} (pod is not owner)"
    return ""


def choose(claims: PodClaims, node: NodeInfo, volumes: Volumes) -> tuple[Choice, tuple[str, ...]]:
    """Say what the node means for the claims, and the reasons against it, as FindPodVolumes."""
    reasons: list[str] = []
    for claim in claims.bound:
        volume = volumes.volume(claim["spec"]["volumeName"])
        if volume is None or not reaches(volume, node):
            reasons.append(NO_VOLUME if volume is None else NODE_CONFLICT)
            break
    to_match, to_provision = [], []
    for claim in claims.delayed:
        selected = annotations_of(claim).get(vol.SELECTED_NODE)
        if selected is None:
            to_match.append(claim)
        elif selected == node.name:
            to_provision.append(claim)
        else:
            return Choice(), in_order([*reasons, BIND_CONFLICT])
    bindings: list[tuple[Obj, Obj]] = []
    taken: list[str] = []
    for claim in vol.by_size(to_match):
        usable = volumes.of_class(vol.class_name(claim))
        found = vol.best_match(claim, usable, reaches=lambda volume: reaches(volume, node), excluded=taken)
        if found is None:
            to_provision.append(claim)
        else:
            bindings.append((claim, found))
            taken.append(found["metadata"]["name"])
    why = next(filter(None, (provision_problem(claim, node, volumes) for claim in to_provision)), "")
    return Choice(tuple(bindings), tuple(to_provision)), in_order([*reasons, *filter(None, (why,))])


def in_order(reasons: list[str]) -> tuple[str, ...]:
    """Return the reasons in upstream's order."""
    return tuple(reason for reason in (NODE_CONFLICT, BIND_CONFLICT, NO_SPACE, NO_VOLUME) if reason in reasons)


def provision_problem(claim: Obj, node: NodeInfo, volumes: Volumes) -> str:
    """Return why no volume can be provisioned for the claim on the node, "" when one can."""
    storage_class = volumes.storage_class(vol.class_name(claim)) or {}
    provisioner = storage_class.get("provisioner") or ""
    if provisioner in ("", vol.NO_PROVISIONER) or not in_topology(storage_class, node):
        return BIND_CONFLICT
    return "" if has_room(provisioner, claim, storage_class, node, volumes) else NO_SPACE


def in_topology(storage_class: Obj, node: NodeInfo) -> bool:
    """Say whether the class makes volumes where the node is, as MatchTopologySelectorTerms."""
    terms = storage_class.get("allowedTopologies") or ()
    if not terms:
        return True
    return any(
        expressions and all(node.labels.get(one["key"]) in (one.get("values") or ()) for one in expressions)
        for expressions in (term.get("matchLabelExpressions") or () for term in terms)
    )


def has_room(provisioner: str, claim: Obj, storage_class: Obj, node: NodeInfo, volumes: Volumes) -> bool:
    """Say whether the driver has enough storage that the node reaches; most drivers do not tell."""
    driver = volumes.driver(provisioner)
    if not ((driver or {}).get("spec") or {}).get("storageCapacity"):
        return True
    wanted = vol.requested(claim)
    for pool in volumes.capacities(storage_class["metadata"]["name"]):
        limit = volume_limit(pool)
        topology = pool.get("nodeTopology")
        if limit and compare(limit, wanted) >= 0 and topology is not None and labels_matching(topology)(node.labels):
            return True
    return False


def volume_limit(pool: Obj) -> str:
    """Return the size of the largest volume that a CSIStorageCapacity promises, "" for none."""
    return str(pool.get("maximumVolumeSize") or pool.get("capacity") or "")


class Binding:
    """What the pod's volumes still need before the pod can be bound: Reserve, PreBind and Unreserve of it."""

    plugin = NAME
    is_immediate = False

    def __init__(self, cluster: Cluster, node: NodeInfo, choice: Choice) -> None:
        self._cluster = cluster
        self._volumes = cluster.volumes
        self._node = node
        self._written: dict[tuple[str, Key], int] = {}
        self._todo: list[tuple[str, Obj]] = []
        self._claims = [key_of(claim) for claim, _ in choice.bindings]
        self._provisions = [key_of(claim) for claim in choice.provisions]
        for claim, volume in choice.bindings:
            self._promise(VOLUMES, volume, vol.bound_to_claim(volume, claim))
        for claim in choice.provisions:
            self._promise(CLAIMS, claim, vol.annotated(claim, {vol.SELECTED_NODE: node.name}))
        self._pairs = [(key_of(volume), key_of(claim)) for claim, volume in choice.bindings]

    def _promise(self, resource: str, old: Obj, new: Obj) -> None:
        self._volumes.assume(resource, new)
        if new is not old:
            self._todo.append((resource, new))

    def concerns(self, resource: str, key: Key) -> bool:
        """Say whether a change of the object may end the wait."""
        if resource == CLAIMS:
            return key in self._claims or key in self._provisions
        return resource == VOLUMES

    def write(self, client: Client, now: float) -> None:
        """Bind volumes to claims and name the node to provisioners; StatusError when that is refused."""
        for resource, obj in self._todo:
            made = client.update(resource, obj)
            self._written[resource, key_of(obj)] = version(made)

    def is_done(self) -> bool:
        """Say whether all claims are bound; PreBindError when they will not be, as checkBindings."""
        if self._cluster.node(self._node.name) is None:
            raise PreBindError(f'failed to get node "{self._node.name}": node "{self._node.name}" not found')
        for volume_key, claim_key in self._pairs:
            volume = self._read(VOLUMES, volume_key)
            claim = self._read(CLAIMS, claim_key)
            if self._is_old(VOLUMES, volume):
                return False
            self._check_place(volume)
            if not (volume["spec"].get("claimRef") or {}).get("uid"):
                raise PreBindError(f'ClaimRef got reset for pv "{volume_key.name}"')
            if not vol.is_fully_bound(claim):
                return False
        return all(self._is_provisioned(key) for key in self._provisions)

    def _is_provisioned(self, key: Key) -> bool:
        claim = self._read(CLAIMS, key)
        if self._is_old(CLAIMS, claim):
            return False
        selected = annotations_of(claim).get(vol.SELECTED_NODE)
        if selected != self._node.name:
            raise PreBindError(f'provisioning failed for PVC "{key.name}"')
        bound = claim["spec"].get("volumeName")
        if bound:
            volume = self._volumes.current(VOLUMES, Key("", bound))
            if volume is None:
                return False
            self._check_place(volume)
        return vol.is_fully_bound(claim)

    def _read(self, resource: str, key: Key) -> Obj:
        found = self._volumes.current(resource, key)
        if found is None:
            kind = "pv" if resource == VOLUMES else "pvc"
            raise PreBindError(f'failed to check binding: could not find {kind} "{key}"')
        return found

    def _is_old(self, resource: str, obj: Obj) -> bool:
        return version(obj) < self._written.get((resource, key_of(obj)), 0)

    def _check_place(self, volume: Obj) -> None:
        if not reaches(volume, self._node):
            name = volume["metadata"]["name"]
            raise PreBindError(
                f'pv "{name}" node affinity doesn\'t match node "{self._node.name}": no matching NodeSelectorTerms'
            )

    def release(self) -> None:
        """Give up what was promised and not yet written (Unreserve)."""
        for resource, obj in self._todo:
            self._volumes.restore(resource, key_of(obj))
