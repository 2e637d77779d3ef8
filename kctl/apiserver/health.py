"""The paths that are no resources: health checks, and the list of all paths.

In: a path. Out: ``ok`` for every check kube-apiserver has (kctl's server is ready when it
answers), or the list that ``GET /`` gives. What a simulation has nothing to say about (metrics, flags)
is listed, as the real server's, and refused in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.api.registry import Registry

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

KINDS = ("/healthz", "/livez", "/readyz")
CHECKS = {
    "/healthz": ("autoregister-completion", "etcd", "log", "loopback-serving-certificate", "ping"),
    "/livez": ("autoregister-completion", "etcd", "log", "loopback-serving-certificate", "ping"),
    "/readyz": ("autoregister-completion", "informer-sync", "log", "ping", "shutdown"),
}
HOOKS = [
    "apiservice-discovery-controller",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
    "apiservice-registration-controller",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-wait-for-first-sync",
    "bootstrap-controller",
    "crd-informer-synced",
    "generic-apiserver-start-informers",
    "kube-apiserver-autoregistration",
    "peer-endpoint-reconciler-controller",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-config-producer",
    "priority-and-fairness-filter",
    "scheduling/bootstrap-system-priority-classes",
    "start-apiextensions-controllers",
    "start-apiextensions-informers",
    "start-apiserver-admission-initializer",
    "start-cluster-authentication-info-controller",
    "start-kube-aggregator-informers",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-kubernetes-service-cidr-controller",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "start-system-namespaces-controller",
    "storage-object-count-tracker-hook",
    "storage-readiness",
]
"""What the real server does once at its start, each a check of its own."""
RBAC_HOOK = "rbac/bootstrap-roles"
UNSERVED = ("/flagz", "/metrics", "/metrics/slis", "/statusz")
"""Paths that :mod:`discovery` refuses in words."""
OTHERS = (
    *("/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3"),
    *("/openapi/v3/", "/openid/v1/jwks", "/version"),
)


def checks(server: APIServer) -> set[str]:
    """Return the path of every health check."""
    hooks = [*HOOKS, *((RBAC_HOOK,) if "RBAC" in server.authorization else ())]
    found = set(KINDS)
    for kind in KINDS:
        found |= {f"{kind}/{name}" for name in CHECKS[kind]}
        found |= {f"{kind}/poststarthook/{hook}" for hook in hooks}
    return found


def root(server: APIServer, registry: Registry) -> Obj:
    """Return what ``GET /`` answers: every path there is."""
    found = {*checks(server), *OTHERS, *UNSERVED}
    for kind in registry.all():
        if kind.group and not kind.group.endswith("kctl.dev"):
            found |= {f"/apis/{kind.group}", f"/apis/{kind.group}/{kind.version}"}
    return {"paths": sorted(found)}
