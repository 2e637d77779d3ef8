"""On which nodes a DaemonSet's pods belong, and where they are: sets of nodes.

In: nodes and a pod template; pods as they change. Out: which nodes are to run a pod and which may
go on running one (NodeShouldRunDaemonPod), and a fold of pods per DaemonSet. Nodes get numbers in
the order they are met, so that a sync handles thousands of them as the bits of one integer
(:mod:`kctl.controllers.bits`).

A fold adds up by *parity*: what is kept of a node's pods is exact where there is one pod, which
is nearly everywhere. Nodes with several are told apart by a counter in bit planes, and are
looked at pod by pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kctl.api.nodeselectors import required_node_affinity
from kctl.api.objects import Obj, controller_of, is_deleting, labels_of
from kctl.api.tolerations import tolerates
from kctl.client.cache import LABELS, META, OWNERS, SPEC, STATUS, Cache, Fold, Index
from kctl.controllers.pods import is_terminal, phase_of, ready_since
from kctl.controllers.revisions import POD_HASH

GENERATION = "pod-template-generation"
OWN_LABELS = frozenset((POD_HASH, GENERATION))
ON = LABELS | OWNERS | META | SPEC | STATUS
HARD = ("NoSchedule", "NoExecute")
ALWAYS_TOLERATED = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
    for name, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
)
ON_HOST_NETWORK = {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}

Flag = tuple[str, str]
Pairs = tuple[tuple[str, str], ...]


class Numbers:
    """Gives each node name a number, the same for as long as the process lives."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []

    def of(self, name: str) -> int:
        """Return the name's number."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number


class Daemons(NamedTuple):
    """The pods of one DaemonSet: how many a node has (bit planes), their flags by parity, their other labels."""

    planes: tuple[int, ...] = ()
    flags: dict[Flag, int] = {}  # noqa: RUF012 - never changed in place
    groups: dict[Pairs, int] = {}  # noqa: RUF012

    @property
    def any(self) -> int:
        """Return the nodes with a pod."""
        bits = 0
        for plane in self.planes:
            bits |= plane
        return bits

    @property
    def several(self) -> int:
        """Return the nodes with more than one pod."""
        return Daemons(self.planes[1:]).any

    def flag(self, name: str, value: str = "") -> int:
        """Return the nodes with an odd number of pods of which that is so."""
        return self.flags.get((name, value), 0)


class Share(NamedTuple):
    """What one pod adds."""

    node: str
    flags: tuple[Flag, ...]
    group: Pairs


class Fits(NamedTuple):
    """The nodes there are, those that are to run a pod, those that may keep one."""

    nodes: int = 0
    run: int = 0
    keep: int = 0


NONE = Daemons()


def shares_of(pod: Obj) -> tuple[tuple[str, Share], ...]:
    """Return what a pod adds to its DaemonSet; one that ended and is being deleted is nobody's any more."""
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "DaemonSet" or (is_deleting(pod) and is_terminal(pod)):
        return ()
    return ((owner["uid"], share_of(pod)),)


def is_of_daemons(pod: Obj) -> bool:
    """Say whether a DaemonSet controls the pod."""
    owner = controller_of(pod)
    return owner is not None and owner["kind"] == "DaemonSet"


def share_of(pod: Obj) -> Share:
    """Return what a pod tells a DaemonSet."""
    labels, phase = labels_of(pod), phase_of(pod)
    since = ready_since(pod)
    flags: list[Flag] = [("hash", labels.get(POD_HASH, "")), ("generation", labels.get(GENERATION, ""))]
    if is_deleting(pod):
        flags.append(("deleting", ""))
    if phase in ("Failed", "Succeeded"):
        flags.append((phase, ""))
    if since is not None:
        flags += [("serving", ""), ("ready", since)]
    if pod["spec"].get("nodeName"):
        flags.append(("bound", ""))
    group = tuple(sorted(pair for pair in labels.items() if pair[0] not in OWN_LABELS))
    return Share(target_node(pod), tuple(flags), group)


def target_node(pod: Obj) -> str:
    """Return the node a pod is on or is for, "" when it does not say, as GetTargetNodeName."""
    name = pod["spec"].get("nodeName")
    if name:
        return str(name)
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In":
                return str(field["values"][0]) if len(field["values"]) == 1 else ""
    return ""


def daemons(pods: Cache, numbers: Numbers) -> Fold[Daemons]:
    """Return the fold of pods by the uid of their DaemonSet."""

    def add(found: Daemons, share: Share) -> Daemons:
        bit = 1 << numbers.of(share.node)
        planes, carry = [], bit
        for plane in found.planes:
            planes.append(plane ^ carry)
            carry &= plane
        if carry:
            planes.append(carry)
        return Daemons(tuple(planes), _toggled(found.flags, share.flags, bit), _counted(found.groups, share.group, 1))

    def remove(found: Daemons, share: Share) -> Daemons:
        bit = 1 << numbers.of(share.node)
        planes, borrow = [], bit
        for plane in found.planes:
            planes.append(plane ^ borrow)
            borrow &= ~plane
        while planes and not planes[-1]:
            planes.pop()
        return Daemons(tuple(planes), _toggled(found.flags, share.flags, bit), _counted(found.groups, share.group, -1))

    return pods.tally("daemons", shares_of, NONE, add, remove, on=ON, where=is_of_daemons)


def _toggled(flags: dict[Flag, int], named: Iterable[Flag], bit: int) -> dict[Flag, int]:
    changed = dict(flags)
    for name in named:
        bits = changed.get(name, 0) ^ bit
        if bits:
            changed[name] = bits
        else:
            del changed[name]
    return changed


def _counted(groups: dict[Pairs, int], group: Pairs, by: int) -> dict[Pairs, int]:
    left = groups.get(group, 0) + by
    if left:
        return {**groups, group: left}
    return {other: count for other, count in groups.items() if other != group}


def by_daemon_and_node(pods: Cache) -> Index:
    """Return the index of pods by (uid of their DaemonSet, node they are on or for)."""
    return pods.index("daemon-node", _daemon_and_node, on=OWNERS | SPEC | META | STATUS, where=is_of_daemons)


def _daemon_and_node(pod: Obj) -> tuple[tuple[str, str], ...]:
    return tuple((uid, share.node) for uid, share in shares_of(pod))


class Judge:
    """Says of nodes whether a template's pods belong there; nodes alike in what matters are judged once."""

    def __init__(self, template: Obj) -> None:
        spec = template["spec"]
        self.template = template
        self._wanted_name = spec.get("nodeName") or ""
        self._fits = required_node_affinity(spec)
        self._tolerations = tolerations_of(spec)
        self._keys, self._by_name = _asked(spec)
        self._verdicts: dict[object, tuple[bool, bool]] = {}
        self._seen: dict[str, tuple[Obj, object, tuple[bool, bool]]] = {}
        self._changes = -1
        self._result = Fits()

    def all(self, nodes: Cache, numbers: Numbers) -> Fits:
        """Judge every node; as long as none changes the answer stays."""
        if nodes.changes != self._changes:
            there = run = keep = 0
            for node in nodes:
                bit = 1 << numbers.of(node["metadata"]["name"])
                verdict = self.one(node)
                there |= bit
                run |= bit if verdict[0] else 0
                keep |= bit if verdict[1] else 0
            self._changes, self._result = nodes.changes, Fits(there, run, keep)
        return self._result

    def one(self, node: Obj) -> tuple[bool, bool]:
        """Return whether the node is to run a pod and whether it may keep one, as NodeShouldRunDaemonPod."""
        name, labels, spec = node["metadata"]["name"], node["metadata"].get("labels"), node.get("spec")
        seen = self._seen.get(name)
        if seen is not None and seen[0] is labels and seen[1] is spec:
            return seen[2]
        taints = (spec or {}).get("taints") or ()
        carried = labels or {}
        signature = (
            name if self._by_name else "",
            tuple(carried.get(key) for key in self._keys),
            tuple((taint["key"], taint.get("value"), taint["effect"]) for taint in taints),
        )
        verdict = self._verdicts.get(signature)
        if verdict is None:
            verdict = self._verdicts[signature] = self._judge(name, carried, taints)
        self._seen[name] = (labels, spec, verdict)
        return verdict

    def _judge(self, name: str, labels: Mapping[str, str], taints: Sequence[Obj]) -> tuple[bool, bool]:
        if self._wanted_name not in ("", name) or (self._fits is not None and not self._fits(name, labels)):
            return False, False
        refused = [
            taint["effect"]
            for taint in taints
            if taint["effect"] in HARD and not any(tolerates(one, taint) for one in self._tolerations)
        ]
        return not refused, "NoExecute" not in refused


def _asked(spec: Obj) -> tuple[tuple[str, ...], bool]:
    """Return the labels a pod spec asks nodes about, and whether it asks for their names."""
    keys = set(spec.get("nodeSelector") or ())
    by_name = bool(spec.get("nodeName"))
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in required.get("nodeSelectorTerms") or ():
        keys |= {one["key"] for one in term.get("matchExpressions") or ()}
        by_name = by_name or bool(term.get("matchFields"))
    return tuple(sorted(keys)), by_name


def tolerations_of(spec: Obj) -> list[Obj]:
    """Return a template's tolerations with those of every daemon, as AddOrUpdateDaemonPodTolerations."""
    found = list(spec.get("tolerations") or ())
    added = (*ALWAYS_TOLERATED, ON_HOST_NETWORK) if spec.get("hostNetwork") else ALWAYS_TOLERATED
    for toleration in added:
        same = [n for n, one in enumerate(found) if _place(one) == _place(toleration)]
        if same:
            found[same[0]] = toleration
        else:
            found.append(toleration)
    return found


def _place(toleration: Obj) -> tuple[str, str, str, str]:
    """Return what makes two tolerations one, as Toleration.MatchToleration."""
    return (
        toleration.get("key") or "",
        toleration.get("operator") or "",
        toleration.get("value") or "",
        toleration.get("effect") or "",
    )
