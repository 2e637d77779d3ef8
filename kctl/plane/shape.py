"""The machines of a cluster, kept to its shape.

In: the shape, the Instances that bear its label. Out: writes. Missing machines are made whenever
a cluster is opened to be written to; machines are taken away or replaced only in a run that was
asked to, within its first instant, so that nothing which does not converge ever removes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, is_deleting, key_of
from kctl.api.staticpods import FIELD as STATIC
from kctl.plane import cluster as clusters
from kctl.plane.groups import KUBELET

if TYPE_CHECKING:
    from kctl.client.client import Client

INSTANCES = "instances.cloud.kctl.dev"


class Difference(NamedTuple):
    """Where the machines differ from the shape, each list in order of name.

    ``missing`` are to be made, ``gone`` the shape has no more, ``other`` it describes anew:
    pairs of the machine that is there and the one wanted. Of those in ``changed`` only the static pods are others.
    """

    missing: tuple[Obj, ...] = ()
    gone: tuple[Obj, ...] = ()
    other: tuple[tuple[Obj, Obj], ...] = ()
    changed: tuple[tuple[Obj, Obj], ...] = ()

    def notes(self) -> list[str]:
        """Say in words what the next run that keeps to the shape takes away."""
        notes = []
        if self.gone:
            what = "it" if len(self.gone) == 1 else "them"
            notes.append(f"the shape has no {_names(self.gone)} any more: the next apply or converge takes {what} away")
        if self.other:
            names, what = _names([there for there, _ in self.other]), "it" if len(self.other) == 1 else "them"
            notes.append(f"the shape describes {names} anew: the next apply or converge replaces {what}")
        if self.changed:
            names = _names([there for there, _ in self.changed])
            notes.append(f"the shape gives {names} other static pods: the next apply or converge brings them")
        return notes


def difference(client: Client, cluster: clusters.Cluster) -> Difference:
    """Compare the machines of the shape's label with the shape."""
    wanted = {instance["metadata"]["name"]: instance for instance in clusters.instances(cluster)}
    listed = client.list(INSTANCES, label_selector=clusters.MANAGED_LABEL)
    there = {instance["metadata"]["name"]: instance for instance in listed.items}
    staying = sorted(name for name in there if not is_deleting(there[name]))
    kept = [(there[name], wanted[name]) for name in staying if name in wanted]
    return Difference(
        tuple(wanted[name] for name in wanted if name not in there),
        tuple(there[name] for name in staying if name not in wanted),
        tuple(pair for pair in kept if not _is_as(*pair)),
        tuple(pair for pair in kept if _is_as(*pair) and _static_pods(pair[0]) != _static_pods(pair[1])),
    )


def make_missing(client: Client, found: Difference) -> None:
    """Create the machines that are missing."""
    for instance in found.missing:
        client.create(INSTANCES, instance)


def take_away(client: Client, found: Difference) -> None:
    """Delete the machines the shape has no more, and replace those it describes anew.

    The node goes with its machine: a cloud's controllers would first wait for it not to be heard of.
    """
    for instance in found.gone:
        _remove(client, instance)
    for old, new in found.other:
        _remove(client, old)
        if not old["metadata"].get("finalizers"):  # else it is missing, and made, once they let it go
            client.create(INSTANCES, new)
    for old, new in found.changed:
        client.patch(INSTANCES, key_of(old), {"spec": {STATIC: _static_pods(new)}})


def _remove(client: Client, instance: Obj) -> None:
    name = instance["metadata"]["name"]
    client.delete(INSTANCES, Key("", name), uid=instance["metadata"]["uid"])
    try:
        client.delete("nodes", Key("", instance["spec"].get("nodeName") or name))
    except StatusError as error:
        if error.reason != "NotFound":
            raise


def _is_as(there: Obj, wanted: Obj) -> bool:
    """Say whether the machine is as wanted; what it does not state of itself does not count."""
    spec = wanted["spec"]
    if there["spec"].get(KUBELET) != spec.get(KUBELET):
        return False
    return all(spec.get(name) == value for name, value in there["spec"].items() if name != STATIC)


def _static_pods(instance: Obj) -> list[Obj] | None:
    """Return the machine's static pods, None when it has none: files may change, and the machine stays the same."""
    return instance["spec"].get(STATIC) or None


def _names(instances: tuple[Obj, ...] | list[Obj]) -> str:
    return ", ".join(instance["metadata"]["name"] for instance in instances)
