"""What the scheduler knows of the cluster: nodes with their pods, images, nominations.

Fed with pods and nodes, one event at a time, in O(1) each. Everything else that plugins ask for
(namespaces, services, workloads, budgets, volumes) they read from the caches directly.
A pod *assumed* on a node counts there at once; the event of its binding then changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kctl.api.objects import Key, Obj, key_of, labels_of
from kctl.client.cache import Caches
from kctl.scheduler.kinds import Kind, Kinds
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.nodetree import NodeTree
from kctl.scheduler.podinfo import PodInfo, Traits, is_terminal
from kctl.scheduler.templates import Templates
from kctl.scheduler.volumes import Volumes

if TYPE_CHECKING:
    from kctl.scheduler.devices import Devices


class Image:
    """An image that some node has: its size as first reported, and the nodes that have it."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: set[str] = set()


PLACED, REMOVED, CHANGED, IMAGES = 1, -1, 0, 2
"""What a line of the journal says: of a pod, or of the images a node knows; what was before comes with it."""


class Journal:
    """The latest lines, by position; old ones are dropped."""

    LIMIT = 20_000

    def __init__(self) -> None:
        self.first = 0
        self.lines: list[Any] = []

    @property
    def end(self) -> int:
        """The position after the last line."""
        return self.first + len(self.lines)

    def trim(self) -> None:
        """Drop the older half when there are too many."""
        if len(self.lines) >= self.LIMIT:
            half = len(self.lines) - self.LIMIT // 2
            del self.lines[:half]
            self.first += half

    def since(self, position: int) -> list[Any] | None:
        """Return the lines from a position on, None when they are not all known any more."""
        return self.lines[position - self.first :] if position >= self.first else None


class Cluster:
    """The scheduler's own picture of nodes and assigned pods."""

    def __init__(self, caches: Caches) -> None:
        self.caches = caches
        self.nodes: dict[str, NodeInfo] = {}
        self.tree = NodeTree()
        self.pods: dict[Key, PodInfo] = {}
        self.images: dict[str, Image] = {}
        self.images_epoch = 0
        self.changed: dict[str, None] = {}
        """Nodes that changed, or whose pods did, since :meth:`snapshot`."""
        self.nominated: dict[str, dict[Key, PodInfo]] = {}
        self.next_start = 0
        """Where a cycle that samples nodes begins (nextStartNodeIndex)."""
        self.affinity_nodes: dict[str, NodeInfo] = {}
        self.spread_counts: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
        """By namespace and selector: matching pods per node, with the node's generation they hold for."""
        self.epoch = 0
        """Grows whenever a node comes, goes or changes in more than taints; pods do not move it."""
        self.retainted = Journal()
        """Nodes of which nothing changed but the taints, with those they had; that does not move the epoch."""
        self.version = 0
        """Grows with every change."""
        self.dirty = Journal()
        """Places (in scheduling order) of nodes whose room has changed; valid for one epoch."""
        self.journal = Journal()
        """Pods that came, went and changed."""
        self.is_past = False
        """Whether this is a copy of how the cluster was: nobody keeps its kinds."""
        self.templates = Templates()
        self.kinds = Kinds()
        self.volumes = Volumes(caches)

    @cached_property
    def devices(self) -> Devices:
        """What is known of claims for devices; made when a pod has one."""
        from kctl.scheduler.devices import Devices

        return Devices(self.caches)

    # -- nodes

    def put_node(self, node: Obj) -> None:
        """Take in a new or changed node."""
        name = node["metadata"]["name"]
        info = self._info(name)
        self.changed[name] = None
        self.version += 1
        if info.node is not None and is_same(info.node, node):
            info.node = node
            info.generation += 1
            return
        if info.node is not None and is_same(_tainted_as(info.node, node), node):
            self.retainted.lines.append((info, info.hard_taints, info.soft_taints))
            info.set_node(node)
            return
        self._forget_images(info)
        info.set_node(node)
        self._note_images(info)
        self.tree.put(info)
        self._move_epoch()

    def remove_node(self, name: str) -> None:
        """Forget a node; the pods that name it stay known, in case it comes back."""
        info = self.nodes.get(name)
        if info is None or info.node is None:
            return
        self._forget_images(info)
        info.set_node(None)
        self.tree.remove(name)
        self._tidy(info)
        self._move_epoch()
        self.version += 1

    def _move_epoch(self) -> None:
        """Say that places in scheduling order are no longer what they were."""
        self.epoch += 1
        self.kinds.unwatch_all()

    @property
    def nodes_version(self) -> int:
        """Return what grows whenever a node comes, goes or changes, in its taints too."""
        return self.epoch + self.retainted.end

    def node(self, name: str) -> NodeInfo | None:
        """Return an existing node."""
        info = self.nodes.get(name)
        return info if info is not None and info.node is not None else None

    def order(self) -> list[NodeInfo]:
        """Return the existing nodes in scheduling order."""
        return self.tree.order()

    # -- pods

    def put_pod(self, obj: Obj) -> None:
        """Take in a new or changed assigned pod; one that has ended, or has no node, is forgotten."""
        meta = obj["metadata"]
        key = Key(meta.get("namespace") or "", meta["name"])
        node = obj["spec"].get("nodeName")
        if not node or is_terminal(obj):
            self.remove_pod(key)
            return
        if self.images:
            self.changed[node] = None
        known = self.pods.get(key)
        if known is not None and known.node_name == node:
            before = (known.traits, known.terminating, known.obj)
            if known.refreshed(obj, self.templates.relabelled):
                if known.traits is not before[0] or known.terminating is not before[1]:
                    self._change_kind(known, node, before)
                if started(obj) != started(before[2]) and self.nodes[node].place >= 0:
                    self.dirty.lines.append(self.nodes[node].place)  # it counts among victims
                    self.nodes[node].generation += 1
                    self.version += 1
                return
        self.remove_pod(key)
        self.place(self.templates.info(obj), node)
        self._trim()

    def put_status(self, known: PodInfo, obj: Obj) -> None:
        """Take in a new state of a placed pod in which nothing that counts on its node has changed."""
        known.obj = obj
        if self.images:
            self.changed[known.node_name] = None

    def place(self, pod: PodInfo, node: str) -> None:
        """Count a pod on a node (assume it, when it is not bound yet)."""
        traits = pod.traits
        if traits.home is not self.templates:
            traits = pod.traits = self.templates.traits(pod.obj)
        info = self.nodes.get(node)
        if info is None:
            info = self._info(node)
        pod.node_name = info.name
        info.add_pod(pod)
        self.pods[pod.key] = pod
        if info.affinity_pods:
            self.affinity_nodes[node] = info
        if self.images:
            self.changed[node] = None
        self.version += 1
        self.journal.lines.append((PLACED, pod, node, None))
        kind = traits.kinds[pod.terminating]
        if kind is None:
            kind = traits.kinds[pod.terminating] = Kind(traits, pod.terminating)
        places = kind.places
        if not places:
            self.kinds.register(kind)
        places[info.name] = places.get(node, 0) + 1
        at = info.place
        if at >= 0:
            self.dirty.lines.append(at)
            for watcher, weight in kind.watchers.items():
                watcher.add(at, weight)

    def remove_pod(self, key: Key) -> PodInfo | None:
        """Count a pod out, wherever it was."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        info = self.nodes[pod.node_name]
        self.changed[info.name] = None
        info.remove_pod(key)
        if not info.affinity_pods:
            self.affinity_nodes.pop(info.name, None)
        self.version += 1
        self.journal.lines.append((REMOVED, pod, info.name, None))
        if info.place >= 0:
            self.dirty.lines.append(info.place)
        self._count_out(pod.traits.kinds[pod.terminating], info)
        self._tidy(info)
        self._trim()
        return pod

    def _count_out(self, kind: Kind, info: NodeInfo) -> None:
        if info.place >= 0:
            for watcher, weight in kind.watchers.items():
                watcher.add(info.place, -weight)
        left = kind.places[info.name] - 1
        if left:
            kind.places[info.name] = left
        else:
            del kind.places[info.name]
            if not kind.places:
                self.kinds.drop(kind)

    def _change_kind(self, pod: PodInfo, node: str, before: tuple[Traits, bool, Obj]) -> None:
        """Count a pod among others of its new labels, or among those on their way out."""
        info = self.nodes[node]
        info.generation += 1
        self.version += 1
        self.journal.lines.append((CHANGED, pod, node, before))
        old = before[0].kinds[before[1]]
        new = pod.traits.kinds[pod.terminating]
        if new is None:
            new = pod.traits.kinds[pod.terminating] = Kind(pod.traits, pod.terminating)
        if not new.places:
            self.kinds.register(new)
        new.places[node] = new.places.get(node, 0) + 1
        if info.place >= 0 and old.watchers != new.watchers:
            for watcher, weight in new.watchers.items():
                watcher.add(info.place, weight)
            self._count_out(old, info)
            return
        watchers, old.watchers = old.watchers, {}
        self._count_out(old, info)
        if old.places:
            old.watchers = watchers

    def nominate(self, pod: PodInfo, node: str) -> None:
        """Note that preemption makes room for the pod on the node; "" withdraws it."""
        if not node and not self.nominated:
            return
        self.version += 1
        for name, pods in list(self.nominated.items()):
            if pods.pop(pod.key, None) is not None and not pods:
                del self.nominated[name]
        if node:
            self.nominated.setdefault(node, {})[pod.key] = pod

    # -- what plugins ask

    def snapshot(self) -> None:
        """Begin a cycle: nodes that changed learn anew how many nodes have their images.

        The others keep what they knew, as in upstream's snapshot, which copies changed nodes only.
        """
        if self.images:
            for name in self.changed:
                info = self.nodes.get(name)
                if info is not None and info.node is not None and info.images_epoch != self.images_epoch:
                    states = {image: self.images[image] for image, _ in images_of(info.node)}
                    self.journal.lines.append((IMAGES, None, name, info.images))
                    info.images = {image: (state.size, len(state.nodes)) for image, state in states.items()}
                    info.images_epoch = self.images_epoch
                    self.dirty.lines.append(info.place)
        self.changed.clear()
        self._trim()

    def namespace_labels(self) -> NamespaceLabels:
        """Return the labels of namespaces by name."""
        return NamespaceLabels(self.caches)

    def _trim(self) -> None:
        self.journal.trim()
        self.dirty.trim()
        self.retainted.trim()

    def _info(self, name: str) -> NodeInfo:
        info = self.nodes.get(name)
        if info is None:
            info = self.nodes[name] = NodeInfo(name)
        return info

    def _tidy(self, info: NodeInfo) -> None:
        if info.node is None and not info.pods:
            self.nodes.pop(info.name, None)
            self.spread_counts.clear()  # a node of that name would start counting generations anew

    def _note_images(self, info: NodeInfo) -> None:
        for name, size in images_of(info.node):
            self.images_epoch += 1
            image = self.images.get(name)
            if image is None:
                image = self.images[name] = Image(size)
            image.nodes.add(info.name)

    def _forget_images(self, info: NodeInfo) -> None:
        info.images = {}
        for name, _ in images_of(info.node):
            self.images_epoch += 1
            image = self.images.get(name)
            if image is not None:
                image.nodes.discard(info.name)
                if not image.nodes:
                    del self.images[name]


class NamespaceLabels(Mapping[str, Mapping[str, str]]):
    """Namespaces' labels by name, read from the cache when asked."""

    def __init__(self, caches: Caches) -> None:
        self._cache = caches["namespaces"]

    def __getitem__(self, name: str) -> Mapping[str, str]:
        found = self._cache.get(Key("", name))
        if found is None:
            raise KeyError(name)
        return labels_of(found)

    def __iter__(self) -> Any:
        return (key_of(obj).name for obj in self._cache)

    def __len__(self) -> int:
        return len(self._cache)


def started(pod: Obj) -> str | None:
    """Return when a pod started."""
    status = pod.get("status")
    return status.get("startTime") if status else None


def is_same(old: Obj, new: Obj) -> bool:
    """Say whether nothing of a node has changed that a decision may depend on."""
    return all(of(old) == of(new) for of in (_described, _specified, _reported))


def _tainted_as(node: Obj, other: Obj) -> Obj:
    """Return a node with the taints of another."""
    return {**node, "spec": {**(node.get("spec") or {}), "taints": (other.get("spec") or {}).get("taints")}}


def _described(node: Obj) -> tuple[Any, ...]:
    meta = node["metadata"]
    return (meta.get("labels"), meta.get("creationTimestamp"), meta.get("uid"))


def _specified(node: Obj) -> tuple[Any, ...]:
    spec = node.get("spec") or {}
    return (spec.get("unschedulable"), spec.get("taints"))


def _reported(node: Obj) -> tuple[Any, ...]:
    status = node.get("status") or {}
    return (status.get("allocatable"), status.get("images"))


def images_of(node: Obj | None) -> list[tuple[str, int]]:
    """Return the names and sizes of the images a node reports to have."""
    reported = ((node or {}).get("status") or {}).get("images") or ()
    return [(name, image.get("sizeBytes") or 0) for image in reported for name in image.get("names") or ()]
