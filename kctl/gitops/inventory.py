"""Sets and what they own.

A *set* is what one apply or sync brings, under one name. Its inventory (``inventories.kctl.dev``)
lists every object it brought, so that what it no longer brings can be pruned: that and nothing
else is ever deleted. An object that another set brings now has moved there and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from kctl.api.errors import Refused, StatusError
from kctl.api.objects import Key, Obj, dig
from kctl.api.registry import Kind
from kctl.client.client import Client
from kctl.gitops.targets import CRDS, Target

RESOURCE = "inventories.kctl.dev"
API_VERSION = "kctl.dev/v1"
MANAGER = "kctl"
PRUNE = "kctl.dev/prune"
OPTIONS = "argocd.argoproj.io/sync-options"
KEEP = (
    (PRUNE, "disabled"),
    (OPTIONS, "Prune=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("helm.sh/resource-policy", "keep"),
)
"""The annotations that keep an object from being pruned, ours and those of other tools."""
ASK = ((PRUNE, "confirm"), (OPTIONS, "Prune=confirm"))
"""The annotations that let an object be pruned only when that is confirmed."""
GUARDED = ("namespaces", CRDS, "persistentvolumeclaims")
AUTOMATIC = frozenset({("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")})
FLEETING = frozenset({"events", "events.events.k8s.io", "endpoints", "leases.coordination.k8s.io"})


class Entry(NamedTuple):
    """One object a set owns; ``uid`` is "" until it has been applied."""

    resource: str
    namespace: str
    name: str
    api_version: str
    kind: str
    uid: str = ""

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two entries the same object, whatever version they are written in."""
        return self[:3]

    def data(self) -> Obj:
        """Return the entry as it is stored."""
        return {
            "resource": self.resource,
            "namespace": self.namespace,
            "name": self.name,
            "apiVersion": self.api_version,
            "kind": self.kind,
            "uid": self.uid,
        }


def entry_of(target: Target) -> Entry:
    """Return the entry of a target."""
    return Entry(target.resource, *target.key, target.object["apiVersion"], target.object["kind"])


def from_data(data: Obj) -> Entry:
    """Read a stored entry."""
    return Entry(data["resource"], data["namespace"], data["name"], data["apiVersion"], data["kind"], data["uid"])


def entries(inventory: Obj | None) -> list[Entry]:
    """Return what an inventory lists."""
    return [from_data(data) for data in dig(inventory, "spec", "entries", default=())]


def with_uids(listed: Iterable[Entry], uids: Mapping[tuple[str, str, str], str]) -> list[Entry]:
    """Return the entries with the uids that have become known."""
    return [entry._replace(uid=uids.get(entry.identity) or entry.uid) for entry in listed]


def build(set_name: str, listed: Iterable[Entry]) -> Obj:
    """Return the inventory of a set."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Inventory",
        "metadata": {"name": set_name},
        "spec": {"entries": [entry.data() for entry in sorted(set(listed))]},
    }


def read(client: Client, resource: str, name: str) -> Obj | None:
    """Return a cluster-scoped object, None when there is none."""
    return read_at(client, resource, Key("", name))


def read_at(client: Client, resource: str, key: Key) -> Obj | None:
    """Return an object, None when there is none."""
    try:
        return client.get(resource, key.namespace, key.name)
    except StatusError as error:
        if error.reason != "NotFound":
            raise
        return None


def set_name(*parts: str) -> str:
    """Return a name for a set from what tells it from others: paths, a repository, a namespace."""
    readable = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")[:40].strip("-")
    digest = blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=5).hexdigest()
    return f"{readable}-{digest}" if readable else digest


def leftovers(client: Client, set_name: str, targets: Iterable[Target]) -> list[Entry]:
    """Return what an earlier apply of the set brought and this one no longer has.

    What another set brings now, what is gone already and what was made anew by somebody else
    are left out.
    """
    now = {entry_of(target).identity for target in targets}
    gone = [entry for entry in entries(read(client, RESOURCE, set_name)) if entry.identity not in now]
    if not gone:
        return []
    elsewhere = {
        entry.identity
        for inventory in client.list(RESOURCE).items
        if inventory["metadata"]["name"] != set_name
        for entry in entries(inventory)
    }
    return [entry for entry in gone if entry.identity not in elsewhere and is_ours(client, entry)]


def is_ours(client: Client, entry: Entry) -> bool:
    """Say whether the object exists and is the very one we applied."""
    live = read_at(client, entry.resource, entry.key)
    if live is None:
        return False
    if entry.uid:
        return bool(live["metadata"].get("uid") == entry.uid)
    return any(
        field.get("manager") == MANAGER and field.get("operation") == "Apply"
        for field in live["metadata"].get("managedFields") or ()
    )


def check_prune(
    client: Client, kinds: Sequence[Kind], targets: Sequence[Target], pruned: Sequence[Entry], *, confirmed: bool
) -> None:
    """Raise Refused for a prune that takes everything, or what has content, unless confirmed."""
    if confirmed or not pruned:
        return
    hint = "--prune-confirm does it all the same"
    if not targets:
        raise Refused(f"this would prune everything the set has brought ({len(pruned)} objects)", hint=hint)
    full = [
        f'{entry.resource} "{entry.name}" ({why})'
        for entry in pruned
        if (why := _content(client, kinds, entry) or _asks(client, entry))
    ]
    if full:
        raise Refused(f"this would prune what has content or is to be confirmed: {', '.join(full)}", hint=hint)


def is_kept(client: Client, entry: Entry) -> bool:
    """Say whether an object's annotation forbids to prune it."""
    return bool(_annotated(client, entry, KEEP))


def _asks(client: Client, entry: Entry) -> str:
    return _annotated(client, entry, ASK)


def _annotated(client: Client, entry: Entry, wanted: Iterable[tuple[str, str]]) -> str:
    """Return which of these annotations an object has, "" when none."""
    live = read_at(client, entry.resource, entry.key)
    given: Obj = dig(live, "metadata", "annotations", default={})
    for name, value in wanted:
        if value in [word.strip() for word in str(given.get(name, "")).split(",")]:
            return f"{name}: {value}"
    return ""


def _content(client: Client, kinds: Sequence[Kind], entry: Entry) -> str:
    """Say what would be lost with a Namespace, CustomResourceDefinition or PersistentVolumeClaim."""
    if entry.resource == "persistentvolumeclaims":
        live = read_at(client, entry.resource, entry.key)
        if dig(live, "status", "phase") == "Bound":
            return "bound to a volume"
        users = sum(entry.name in _claims(pod) for pod in client.list("pods", entry.namespace).items)
        return f"used by {users} pods" if users else ""
    if entry.resource == CRDS:
        plural, _, group = entry.name.partition(".")
        count = _count(client, f"{plural}.{group}", "")
        return f"{count} of its resources" if count else ""
    if entry.resource == "namespaces":
        resources = dict.fromkeys(kind.resource for kind in kinds if kind.namespaced and "list" in kind.verbs)
        count = sum(_count(client, resource, entry.name) for resource in resources if resource not in FLEETING)
        return f"{count} objects in it" if count else ""
    return ""


def _claims(pod: Obj) -> list[str]:
    """Return the claims that a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    return [dig(volume, "persistentVolumeClaim", "claimName", default="") for volume in volumes]


def _count(client: Client, resource: str, namespace: str) -> int:
    try:
        items = client.list(resource, namespace).items
    except StatusError:
        return 0
    return sum(1 for item in items if (resource, item["metadata"]["name"]) not in AUTOMATIC)
