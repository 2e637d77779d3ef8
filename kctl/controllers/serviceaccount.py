"""serviceaccount-controller: every active namespace has the ServiceAccount ``default``.

In: namespaces and ServiceAccounts. Out: the ones that are missing. Pods without it are refused
by admission. Tokens are not issued here.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.runtime.actions import Create
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

NAME = "default"


class Seen(NamedTuple):
    """A namespace, and whether its ServiceAccount is there."""

    namespace: Obj
    exists: bool


class ServiceAccountController(Controller):
    """Creates the default ServiceAccount of each namespace."""

    name = "serviceaccount-controller"
    user = "system:serviceaccount:kube-system:service-account-controller"
    level = 10
    reads = ("namespaces", "serviceaccounts")
    writes = ("serviceaccounts",)

    def __init__(self) -> None:
        self.watches = (Watch("namespaces", keys_of_self), Watch("serviceaccounts", keys_of_deleted(NAME)))

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the namespace and look for its ServiceAccount."""
        namespace = caches["namespaces"].get(key)
        if namespace is None:
            return None
        return Seen(namespace, caches["serviceaccounts"].get(Key(key.name, NAME)) is not None)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Create the ServiceAccount where an active namespace has none."""
        if seen.exists or not is_active(seen.namespace):
            return Decision()
        meta = {"name": NAME, "namespace": seen.namespace["metadata"]["name"]}
        return Decision((Create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),))


def is_active(namespace: Obj) -> bool:
    """Say whether objects can be created in the namespace."""
    return not is_deleting(namespace) and (namespace.get("status") or {}).get("phase", "Active") == "Active"


class keys_of_deleted:  # noqa: N801 - used as the other key functions are
    """Map an object of one name that was deleted or changed to its namespace."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
        """Return the namespace's key when the change was not the object's creation."""
        if old is None:
            return ()
        key = key_of(old)
        return (Key("", key.namespace),) if key.name == self._name else ()
