"""root-ca-certificate-publisher-controller: the ConfigMap kube-root-ca.crt in every namespace.

In: namespaces and ConfigMaps. Out: the ConfigMap, where it is missing or was changed. Every
pod's projected token volume mounts it. kctl has no certificate authority, so the file says so
instead of carrying a certificate.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, annotations_of, evolve
from kctl.client.cache import Caches
from kctl.controllers.serviceaccount import is_active, keys_of_deleted
from kctl.runtime.actions import Create, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

NAME = "kube-root-ca.crt"
DATA = {"ca.crt": "# kctl simulates this cluster: there is no certificate authority.\n"}
DESCRIPTION = "kubernetes.io/description"
TEXT = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


class Seen(NamedTuple):
    """A namespace and its ConfigMap, None when there is none."""

    namespace: Obj
    published: Obj | None


class RootCAPublisher(Controller):
    """Publishes the root certificate to each namespace."""

    name = "root-ca-certificate-publisher-controller"
    user = "system:serviceaccount:kube-system:root-ca-cert-publisher"
    level = 10
    reads = ("namespaces", "configmaps")
    writes = ("configmaps",)

    def __init__(self) -> None:
        self.watches = (Watch("namespaces", keys_of_self), Watch("configmaps", keys_of_deleted(NAME)))

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the namespace and its ConfigMap."""
        namespace = caches["namespaces"].get(key)
        if namespace is None:
            return None
        return Seen(namespace, caches["configmaps"].get(Key(key.name, NAME)))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Create the ConfigMap, or restore what it must hold, as syncNamespace."""
        if not is_active(seen.namespace):
            return Decision()
        if seen.published is None:
            meta = {
                "name": NAME,
                "namespace": seen.namespace["metadata"]["name"],
                "annotations": {DESCRIPTION: TEXT},
            }
            obj: Obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": DATA}
            return Decision((Create("configmaps", obj),))
        if seen.published.get("data") == DATA and annotations_of(seen.published).get(DESCRIPTION):
            return Decision()
        restored = evolve({**seen.published, "data": DATA}, {"metadata": {"annotations": {DESCRIPTION: TEXT}}})
        return Decision((Update("configmaps", restored),))
