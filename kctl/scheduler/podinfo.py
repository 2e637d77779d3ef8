"""A pod as the scheduler sees it: parsed once, compared many times.

In: a pod object. Out: :class:`PodInfo`, which plugins read instead of the object's nested
dicts. Everything here derives from the pod alone; namespaces' labels are looked up when terms are
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from kctl.api.objects import Key, Obj
from kctl.api.volumes import claim_name, has_claims
from kctl.scheduler.match import LabelMatch, NodeMatch, labels_matching, required_node_affinity
from kctl.scheduler.requests import Requests, pod_requests

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 the wildcard of hostIP, nothing listens here

DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd")
"""Kinds of inline volumes that VolumeRestrictions compares."""


class HostPort(NamedTuple):
    """A port of the node that a container wants for itself."""

    ip: str
    protocol: str
    port: int


class Labelled(Protocol):
    """A pod, or what pods have in common."""

    @property
    def namespace(self) -> str:
        """Its namespace."""
        ...

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        ...


class AffinityTerm(NamedTuple):
    """A PodAffinityTerm with its owner's namespace filled in; ``weight`` of preferred ones."""

    namespaces: frozenset[str]
    namespace_selector: LabelMatch | None
    selector: LabelMatch
    topology_key: str
    weight: int = 0
    exact: tuple[tuple[str, str], ...] = ()
    """Labels that every pod it speaks of has."""

    def matches(self, pod: Labelled, namespace_labels: Mapping[str, Mapping[str, str]]) -> bool:
        """Say whether the term speaks of ``pod``, as framework.AffinityTerm.Matches."""
        if pod.namespace not in self.namespaces and (
            self.namespace_selector is None or not self.namespace_selector(namespace_labels.get(pod.namespace, {}))
        ):
            return False
        return self.selector(pod.labels)


class Images(NamedTuple):
    """The images that a pod needs."""

    names: tuple[str, ...]
    """With the tag that the kubelet would pull."""
    containers: int
    """So many of them are containers'."""


class Traits:
    """What pods of one template have in common: all that plugins read of a pod but its name and state.

    ``home`` is the :class:`~kctl.scheduler.templates.Templates` that hands it out, None for that of one pod alone.
    """

    def __init__(self, obj: Obj, home: object = None) -> None:
        meta = obj["metadata"]
        self.obj = obj
        self.spec: Obj = obj["spec"]
        self.home = home
        self.namespace: str = meta.get("namespace") or ""
        self.labels: dict[str, str] = meta.get("labels") or {}
        self.priority: int = self.spec.get("priority") or 0
        self.kinds: list[Any] = [None, None]
        """What the cluster keeps of placed pods with these traits: of those that stay, of those on their way out."""

    @cached_property
    def owner(self) -> tuple[str, str, str] | None:
        """The apiVersion, kind and name of the pod's controller."""
        return owner_of(self.obj["metadata"].get("ownerReferences"))

    @cached_property
    def requests(self) -> Requests:
        """What the pod asks for."""
        return pod_requests(self.obj)

    @cached_property
    def tolerations(self) -> tuple[Obj, ...]:
        """The pod's tolerations."""
        return tuple(self.spec.get("tolerations") or ())

    @cached_property
    def required_node_affinity(self) -> NodeMatch | None:
        """What the node's name and labels must be, None for no demands."""
        return required_node_affinity(self.spec)

    @cached_property
    def ports(self) -> tuple[HostPort, ...]:
        """The host ports of containers and sidecars, as util.GetHostPorts."""
        spec = self.spec
        sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
        return tuple(
            HostPort(port.get("hostIP") or ANY_ADDRESS, port.get("protocol") or "TCP", port["hostPort"])
            for container in (*(spec.get("containers") or ()), *sidecars)
            for port in container.get("ports") or ()
            if port.get("hostPort")
        )

    @cached_property
    def images(self) -> Images:
        """The images of all containers and volumes."""
        spec = self.spec
        containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
        volumes = [volume["image"] for volume in spec.get("volumes") or () if "image" in volume]
        named = [*(c.get("image") or "" for c in containers), *(v.get("reference") or "" for v in volumes)]
        return Images(tuple(map(normalized_image, named)), len(containers))

    @cached_property
    def affinity(self) -> tuple[AffinityTerm, ...]:
        """Required pod affinity."""
        return self._terms("podAffinity", preferred=False)

    @cached_property
    def anti_affinity(self) -> tuple[AffinityTerm, ...]:
        """Required pod anti-affinity."""
        return self._terms("podAntiAffinity", preferred=False)

    @cached_property
    def preferred_affinity(self) -> tuple[AffinityTerm, ...]:
        """Preferred pod affinity."""
        return self._terms("podAffinity", preferred=True)

    @cached_property
    def preferred_anti_affinity(self) -> tuple[AffinityTerm, ...]:
        """Preferred pod anti-affinity."""
        return self._terms("podAntiAffinity", preferred=True)

    @cached_property
    def has_affinity(self) -> bool:
        """Say whether the pod has any pod affinity or anti-affinity, required or preferred."""
        affinity = self.spec.get("affinity")
        return bool(affinity and (affinity.get("podAffinity") or affinity.get("podAntiAffinity")))

    def _terms(self, kind: str, *, preferred: bool) -> tuple[AffinityTerm, ...]:
        affinity = (self.spec.get("affinity") or {}).get(kind) or {}
        if preferred:
            weighted = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
            return tuple(affinity_term(self.namespace, w["podAffinityTerm"], w["weight"]) for w in weighted)
        terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        return tuple(affinity_term(self.namespace, term) for term in terms)


class PodInfo:
    """One version of one pod."""

    __slots__ = ("key", "node_name", "obj", "terminating", "traits")

    def __init__(self, obj: Obj, traits: Traits | None = None) -> None:
        meta = obj["metadata"]
        self.obj = obj
        self.key: Key = Key(meta.get("namespace") or "", meta["name"])
        self.terminating = "deletionTimestamp" in meta and bool(meta["deletionTimestamp"])
        self.node_name: str = obj["spec"].get("nodeName") or ""
        self.traits = Traits(obj) if traits is None else traits

    def refreshed(self, obj: Obj, traits: Callable[[Obj, Traits], Traits]) -> bool:
        """Take over a newer version of the pod if nothing that counts on its node has changed.

        Saying no, it changes nothing: the pod must be counted out and parsed again then. ``traits`` finds
        the traits of the new version, beginning from those of the old one.
        """
        spec, old = obj["spec"], self.obj
        if spec is not old["spec"] and not _same_but_node(old["spec"], spec):
            return False
        if reports_resources(obj) or (self.traits.home is None and reports_resources(old)):
            return False
        meta = obj["metadata"]
        if meta.get("labels") is not old["metadata"].get("labels"):
            self.traits = traits(obj, self.traits)
        self.obj = obj
        self.terminating = bool(meta.get("deletionTimestamp"))
        return True

    @property
    def spec(self) -> Obj:
        """The pod's spec."""
        spec: Obj = self.obj["spec"]
        return spec

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return self.obj["metadata"].get("uid") or f"{self.key}"

    @property
    def nominated(self) -> str:
        """The node that preemption has chosen for the pod, "" for none."""
        status = self.obj.get("status")
        return status.get("nominatedNodeName") or "" if status else ""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.key.namespace

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels."""
        return self.traits.labels

    @property
    def priority(self) -> int:
        """The pod's priority."""
        return self.traits.priority

    @property
    def requests(self) -> Requests:
        """What the pod asks for."""
        return self.traits.requests

    @property
    def tolerations(self) -> tuple[Obj, ...]:
        """The pod's tolerations."""
        return self.traits.tolerations

    @property
    def required_node_affinity(self) -> NodeMatch | None:
        """What the node's name and labels must be, None for no demands."""
        return self.traits.required_node_affinity

    @property
    def ports(self) -> tuple[HostPort, ...]:
        """The host ports of containers and sidecars."""
        return self.traits.ports

    @property
    def images(self) -> Images:
        """The images of all containers and volumes."""
        return self.traits.images

    @property
    def affinity(self) -> tuple[AffinityTerm, ...]:
        """Required pod affinity."""
        return self.traits.affinity

    @property
    def anti_affinity(self) -> tuple[AffinityTerm, ...]:
        """Required pod anti-affinity."""
        return self.traits.anti_affinity

    @property
    def preferred_affinity(self) -> tuple[AffinityTerm, ...]:
        """Preferred pod affinity."""
        return self.traits.preferred_affinity

    @property
    def preferred_anti_affinity(self) -> tuple[AffinityTerm, ...]:
        """Preferred pod anti-affinity."""
        return self.traits.preferred_anti_affinity

    @property
    def has_affinity(self) -> bool:
        """Say whether the pod has any pod affinity or anti-affinity, required or preferred."""
        return self.traits.has_affinity

    @property
    def claims(self) -> tuple[tuple[str, bool], ...]:
        """The claims behind the pod's volumes, in their order; True for one of an ephemeral volume."""
        if not has_claims(self.obj):
            return ()
        volumes = self.spec["volumes"]
        named = ((claim_name(self.obj, volume), "ephemeral" in volume) for volume in volumes)
        return tuple(dict.fromkeys((name, is_own) for name, is_own in named if name))

    @property
    def disks(self) -> tuple[Obj, ...]:
        """The inline volumes that pods do not always share."""
        volumes = self.spec.get("volumes") or ()
        return tuple(volume for volume in volumes if any(kind in volume for kind in DISKS))


def affinity_term(namespace: str, term: Obj, weight: int = 0) -> AffinityTerm:
    """Compile a PodAffinityTerm of a pod in ``namespace``; without namespaces it speaks of its own."""
    names = term.get("namespaces") or ()
    selector = term.get("namespaceSelector")
    if not names and selector is None:
        names = (namespace,)
    return AffinityTerm(
        frozenset(names),
        None if selector is None else labels_matching(selector),
        labels_matching(term.get("labelSelector")),
        term["topologyKey"],
        weight,
        tuple(sorted(((term.get("labelSelector") or {}).get("matchLabels") or {}).items())),
    )


def owner_of(references: Sequence[Obj] | None) -> tuple[str, str, str] | None:
    """Return the apiVersion, kind and name of the controller among owner references."""
    for ref in references or ():
        if ref.get("controller"):
            return (ref["apiVersion"], ref["kind"], ref["name"])
    return None


def normalized_image(image: str) -> str:
    """Return the image's name with ``:latest`` when it has neither tag nor digest."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def _same_but_node(old: Obj, new: Obj) -> bool:
    """Say whether two pod specs differ at most in nodeName; parts are usually shared, not only equal."""
    for name, value in new.items():
        if name != "nodeName":
            other = old.get(name)
            if other is not value and other != value:
                return False
    return len(old) - ("nodeName" in old) == len(new) - ("nodeName" in new)


def reports_resources(obj: Obj) -> bool:
    """Say whether the status carries other resources than the spec asks for: during an in-place resize."""
    status = obj.get("status")
    if not status:
        return False
    if "resources" in status and status["resources"] and (obj["spec"].get("resources") or {}).get("requests"):
        return True
    for name, of_spec in STATUSES:
        if name not in status:
            continue
        reported = [s for s in status[name] or () if s.get("resources")]
        if not reported:
            continue
        asked = {c["name"]: (c.get("resources") or {}).get("requests") or {} for c in obj["spec"].get(of_spec) or ()}
        for found in reported:
            wanted = asked.get(found["name"])
            if wanted is None:
                continue
            if (found["resources"].get("requests") or {}) != wanted or (
                found.get("allocatedResources") or wanted
            ) != wanted:
                return True
    return False


STATUSES = (("containerStatuses", "containers"), ("initContainerStatuses", "initContainers"))


def is_terminal(pod: Obj) -> bool:
    """Say whether the pod has ended: it no longer takes room on its node."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
