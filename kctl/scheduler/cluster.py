"""What the scheduler knows of the cluster: nodes with their pods, images, nominations.

Fed with pods and nodes, one event at a time, in O(1) each. Everything else that plugins ask for
(namespaces, services, workloads, budgets, volumes) they read from the caches directly.
A pod *assumed* on a node counts there at once; the event of its binding then changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kctl.api.objects import Key, Obj, key_of, labels_of
from kctl.client.cache import Caches
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.nodetree import NodeTree
from kctl.scheduler.podinfo import PodInfo, is_terminal
from kctl.scheduler.volumes import Volumes


class Image:
    """An image that some node has: its size as first reported, and the nodes that have it."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: set[str] = set()


class Change(NamedTuple):
    """A node that is no longer as it was; ``by`` pods with these labels came (or, negative, went)."""

    node: str
    namespace: str
    labels: Mapping[str, str]
    by: int


class ChangeLog:
    """The latest changes, by position; old ones are dropped."""

    LIMIT = 20_000

    def __init__(self) -> None:
        self._first = 0
        self._changes: list[Change] = []

    @property
    def end(self) -> int:
        """The position after the last change."""
        return self._first + len(self._changes)

    def note(self, change: Change) -> None:
        """Add a change."""
        if len(self._changes) >= self.LIMIT:
            half = self.LIMIT // 2
            del self._changes[:half]
            self._first += half
        self._changes.append(change)

    def since(self, position: int) -> list[Change] | None:
        """Return the changes from a position on, None when they are not all known any more."""
        return self._changes[position - self._first :] if position >= self._first else None


NO_LABELS: Mapping[str, str] = {}


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
        self.topologies: dict[tuple[Any, ...], tuple[list[Any], list[Any]]] = {}
        """What classes of pods share about nodes' topology (``equivalence.py``), by epoch and constraints."""
        self.epoch = 0
        """Grows whenever a node comes, goes or changes; pods do not move it."""
        self.log = ChangeLog()
        """What happened to nodes through their pods."""
        self.volumes = Volumes(caches)
        self.carriers: dict[tuple[str, str, str], dict[str, int]] = {}
        """By namespace and label: how many pods that are not on their way out each node has of it."""

    # -- nodes

    def put_node(self, node: Obj) -> None:
        """Take in a new or changed node."""
        name = node["metadata"]["name"]
        info = self._info(name)
        self._forget_images(info)
        info.set_node(node)
        self._note_images(info)
        self.changed[name] = None
        self.tree.put(info)
        self.epoch += 1

    def remove_node(self, name: str) -> None:
        """Forget a node; the pods that name it stay known, in case it comes back."""
        info = self.nodes.get(name)
        if info is None or info.node is None:
            return
        self._forget_images(info)
        info.set_node(None)
        self.tree.remove(name)
        self._tidy(info)
        self.epoch += 1

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
        key = key_of(obj)
        node = obj["spec"].get("nodeName")
        if not node or is_terminal(obj):
            self.remove_pod(key)
            return
        self.changed[node] = None
        known = self.pods.get(key)
        if known is not None and known.node_name == node:
            labels, terminating = known.labels, known.terminating
            if known.refreshed(obj):
                if (labels, terminating) != (known.labels, known.terminating):
                    self.nodes[node].generation += 1
                    self._note(Change(node, known.namespace, labels, 0 if terminating else -1))
                    self._note(Change(node, known.namespace, known.labels, 0 if known.terminating else 1))
                return
        self.remove_pod(key)
        self.place(PodInfo(obj), node)

    def place(self, pod: PodInfo, node: str) -> None:
        """Count a pod on a node (assume it, when it is not bound yet)."""
        pod.node_name = node
        self.changed[node] = None
        info = self._info(node)
        info.add_pod(pod)
        self._note(Change(node, pod.namespace, pod.labels, 0 if pod.terminating else 1))
        self.pods[pod.key] = pod
        if info.affinity_pods:
            self.affinity_nodes[node] = info

    def remove_pod(self, key: Key) -> PodInfo | None:
        """Count a pod out, wherever it was."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        info = self.nodes[pod.node_name]
        self.changed[info.name] = None
        info.remove_pod(key)
        self._note(Change(info.name, pod.namespace, pod.labels, 0 if pod.terminating else -1))
        if not info.affinity_pods:
            self.affinity_nodes.pop(info.name, None)
        self._tidy(info)
        return pod

    def nominate(self, pod: PodInfo, node: str) -> None:
        """Note that preemption makes room for the pod on the node; "" withdraws it."""
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
                    info.images = {image: (state.size, len(state.nodes)) for image, state in states.items()}
                    info.images_epoch = self.images_epoch
                    self.log.note(Change(name, "", NO_LABELS, 0))
        self.changed.clear()

    def namespace_labels(self) -> NamespaceLabels:
        """Return the labels of namespaces by name."""
        return NamespaceLabels(self.caches)

    def _note(self, change: Change) -> None:
        """Log a change and keep the counts of labels true."""
        self.log.note(change)
        if not change.by:
            return
        for label in change.labels.items():
            found = self.carriers.setdefault((change.namespace, *label), {})
            left = found.get(change.node, 0) + change.by
            if left:
                found[change.node] = left
            else:
                del found[change.node]

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


def images_of(node: Obj | None) -> list[tuple[str, int]]:
    """Return the names and sizes of the images a node reports to have."""
    reported = ((node or {}).get("status") or {}).get("images") or ()
    return [(name, image.get("sizeBytes") or 0) for image in reported for name in image.get("names") or ()]
