"""ResourceQuota: nothing is created that would exceed a quota, and what is created is charged.

As k8s.io/apiserver/pkg/admission/plugin/resourcequota: the quotas of the namespace that count the
object (resource and scopes) must know their usage and have room for what the request adds; then
``status.used`` grows at once. Only the quota controller takes usage back. Quotas are judged by
``status.hard``, so one that no controller has seen yet holds nobody back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kctl.api import quota as rules
from kctl.api.errors import StatusError, forbidden
from kctl.api.objects import Obj, dig, key_of
from kctl.api.quota import pods
from kctl.api.resourcelist import add, compare, increase, is_zero, mask, times, written
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

MANAGER = "kube-apiserver"
QUOTAS = "resourcequotas"
FREE = frozenset(
    (
        "bindings",
        "componentstatuses",
        "events",
        "events.events.k8s.io",
        "localsubjectaccessreviews.authorization.k8s.io",
    )
)
"""What no quota ever counts."""
CHANGING = frozenset(("services", "persistentvolumeclaims"))
"""What can cost more after an update."""


def validate(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    """Refuse what exceeds a quota; charge the quotas for what is let through."""
    quotas = server.admission.in_namespace(QUOTAS, request.namespace)
    if not quotas or request.kind.resource in FREE or not handles(request, obj, old):
        return
    used = judge(quotas, request, obj, old, server.clock.now())
    if not used or request.options.dry_run:
        return
    if old is None and server.storage.get(server.stored_as(request.kind.resource), key_of(obj)) is not None:
        return  # refused as AlreadyExists next; upstream charges for it until the next recount
    charge(server, quotas, used)


def room(server: APIServer, request: Request, obj: Obj, number: int) -> dict[str, dict[str, str]]:
    """Return the usage with so many objects more that are alike; Forbidden where they do not fit."""
    quotas = server.admission.in_namespace(QUOTAS, request.namespace)
    if request.kind.resource in FREE or not server.admission.enabled("ResourceQuota"):
        return {}
    return judge(quotas, request, obj, None, server.clock.now(), number)


def charge_more(server: APIServer, request: Request, obj: Obj, number: int) -> None:
    """Charge the quotas for so many objects more that are alike."""
    charge(server, server.admission.in_namespace(QUOTAS, request.namespace), room(server, request, obj, number))


def handles(request: Request, obj: Obj, old: Obj | None) -> bool:
    """Say whether the request can cost anything, as the evaluators' Handles."""
    if request.subresource:
        return request.kind.resource == "pods" and request.subresource == "resize"
    if old is None:
        return True
    if request.kind.resource == "pods":
        return pods.scopes_of(obj).terminating != pods.scopes_of(old).terminating
    return request.kind.resource in CHANGING


def judge(
    quotas: Sequence[Obj], request: Request, obj: Obj, old: Obj | None, now: float, number: int = 1
) -> dict[str, dict[str, str]]:
    """Return the new usage of the quotas that the request adds to; Forbidden when one has no room."""
    resource = request.kind.resource
    concerned = []
    for quota in quotas:
        hard, used = (written(dig(quota, "status", field)) for field in ("hard", "used"))
        names = rules.names_for(resource, hard)
        if names and rules.in_scopes(resource, rules.scopes_of(quota), obj):
            check_known(request, obj, quota, names, used)
            concerned.append((quota, hard, used))
    if not concerned:
        return {}
    cost = {name: times(value, number) for name, value in rules.usage(resource, obj, now).items()}
    more = cost if old is None else increase(cost, rules.usage(resource, old, now))
    out: dict[str, dict[str, str]] = {}
    for quota, hard, used in concerned:
        counted = old is None or rules.in_scopes(resource, rules.scopes_of(quota), old)
        asked = {name: value for name, value in (more if counted else cost).items() if not is_zero(value)}
        asked = mask(asked, hard)
        if not asked:
            continue
        total = add(used, asked)
        exceeded = [name for name in asked if compare(total[name], hard[name]) > 0]
        if exceeded:
            parts = (("requested", asked), ("used", used), ("limited", hard))
            told = ", ".join(f"{word}: {_told(mask(found, exceeded))}" for word, found in parts)
            raise _refused(request, obj, f"exceeded quota: {quota['metadata']['name']}, {told}")
        out[quota["metadata"]["name"]] = total
    return out


def check_known(request: Request, obj: Obj, quota: Obj, names: Sequence[str], used: Mapping[str, str]) -> None:
    """Refuse pods without what the quota demands, and everything while its usage is not known."""
    name = quota["metadata"]["name"]
    if request.kind.resource == "pods":
        lacking = pods.missing(obj, names)
        if lacking:
            raise _refused(request, obj, f"failed quota: {name}: must specify {lacking}")
    if any(counted not in used for counted in names):
        raise _refused(request, obj, f"status unknown for quota: {name}, resources: {','.join(sorted(names))}")


def charge(server: APIServer, quotas: Sequence[Obj], used: Mapping[str, Mapping[str, str]]) -> None:
    """Write the new usage of quotas, as the API server itself."""
    from kctl.apiserver.rules import owned

    kind, now = server.registry.storage(QUOTAS), server.clock.now()
    for quota in quotas:
        name = quota["metadata"]["name"]
        if name in used:
            status = {**(quota.get("status") or {}), "used": dict(sorted(used[name].items()))}
            changed = {**quota, "status": status}
            changed = owned(kind, changed, quota, manager=MANAGER, now=now, subresource="status")
            server.storage.put(QUOTAS, key_of(quota), changed)


def _refused(request: Request, obj: Obj, why: str) -> StatusError:
    return forbidden(request.kind.resource, shown_name(obj), why)


def _told(found: Mapping[str, str]) -> str:
    return ",".join(f"{name}={found[name]}" for name in sorted(found))
