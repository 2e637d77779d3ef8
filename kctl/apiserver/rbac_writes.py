"""Writes of roles and bindings: nobody grants what he does not hold.

In: an authorised write of a Role, ClusterRole or binding. Out: the write, unless who asks would
grant more than he holds (without the verbs ``escalate`` or ``bind``), as the policybased storages
of pkg/registry/rbac. After a write of a ClusterRole those that gather it follow, as the
clusterrole-aggregation-controller would a moment later.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kctl.api import rbac
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError, forbidden, not_found
from kctl.api.objects import Key, Obj, key_of
from kctl.apiserver.authz import Attributes, aggregate, of_request
from kctl.apiserver.request import MASTERS, Listing, Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

ONLY_ADMIN = "must have cluster-admin privileges to use the aggregationRule"
COLLECTOR_FIELDS = ("ownerReferences", "finalizers", "managedFields")


def handle(server: APIServer, request: Request) -> Obj | Listing:
    """Carry out a write of the group rbac.authorization.k8s.io."""
    answer = server.write(request)
    if request.kind.resource == rbac.CLUSTER_ROLES and not request.options.dry_run:
        gather(server)
    return answer


def check(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    """Forbidden when the write would grant more than its user holds."""
    if "RBAC" not in server.authorization or MASTERS in request.user.groups:
        return
    if old is not None and _only_for_collector(obj, old):
        return
    if request.kind.kind in ("RoleBinding", "ClusterRoleBinding"):
        _check_binding(server, request, obj)
    else:
        _check_role(server, request, obj, old)


def _only_for_collector(obj: Obj, old: Obj) -> bool:
    """Say whether only what the garbage collector writes differs, as IsOnlyMutatingGCFields."""
    bare = [
        {**each, "metadata": {k: v for k, v in each["metadata"].items() if k not in COLLECTOR_FIELDS}}
        for each in (obj, old)
    ]
    return bare[0] == bare[1] and obj["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences")


def _check_role(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    asked = of_request(request, "escalate")
    if server.authorizer.decide(asked if old is not None else asked._replace(name="")).is_allowed:
        return
    _check_held(server, request, obj, obj.get("rules") or [])
    if rbac.is_aggregating(obj) or (old is not None and rbac.is_aggregating(old)):
        try:
            _check_held(server, request, obj, rbac.FULL_AUTHORITY)
        except StatusError:
            raise forbidden(request.kind.resource, obj["metadata"].get("name") or "", ONLY_ADMIN) from None


def _check_binding(server: APIServer, request: Request, obj: Obj) -> None:
    reference = obj.get("roleRef") or {}
    plural = {"ClusterRole": "clusterroles", "Role": "roles"}.get(reference.get("kind") or "", "")
    name = reference.get("name") or ""
    group = reference.get("apiGroup") or ""
    if plural:
        asked = Attributes(request.user, "bind", group, plural, "", request.namespace, name)
        if server.authorizer.decide(asked).is_allowed:
            return
    rules = server.authorizer.roles.rules_of(reference, request.namespace)
    if rules is None:
        raise not_found(request.kind.resource, name)
    _check_held(server, request, obj, rules)


def _check_held(server: APIServer, request: Request, obj: Obj, rules: list[Obj]) -> None:
    """Forbidden for rules the user does not hold, as ConfirmNoEscalation."""
    user = request.user
    held = server.authorizer.roles.held(user, request.namespace)
    missing = rbac.lacking(held.rules(), rules)
    if not missing:
        return
    shown = "\n".join(sorted({rbac.written(rule) for rule in rbac.compacted(missing)}))
    text = (
        f"user {json.dumps(user.name, ensure_ascii=False)} (groups={rbac.quoted(user.groups)}) "
        f"is attempting to grant RBAC permissions not currently held:\n{shown}"
    )
    if held.errors:
        text = f"{text}; resolution errors: {aggregate(held.errors)}"
    raise forbidden(request.kind.resource, obj["metadata"].get("name") or "", text)


def gather(server: APIServer) -> None:
    """Bring the rules of all gathering ClusterRoles up to date, those of one another included."""
    from kctl.apiserver import bootstrap_rbac

    storage = server.storage
    for _ in range(len(storage.objects(rbac.CLUSTER_ROLES))):
        roles = storage.objects(rbac.CLUSTER_ROLES)
        stale = [
            (role, rules)
            for role in sorted((r for r in roles.values() if rbac.is_aggregating(r)), key=key_of)
            if not role["metadata"].get("deletionTimestamp")
            and (rules := rbac.aggregated(role, roles.values())) != (role.get("rules") or [])
        ]
        if not stale:
            return
        for role, rules in stale:
            now = rfc3339(server.clock.now())
            entry = bootstrap_rbac.entry(bootstrap_rbac.AGGREGATOR, "Apply", now, {"f:rules": {}})
            others = [e for e in role["metadata"].get("managedFields") or () if e["manager"] != entry["manager"]]
            kept = [_without_rules(e) for e in others]
            meta = {**role["metadata"], "managedFields": [entry, *(e for e in kept if e["fieldsV1"])]}
            storage.put(rbac.CLUSTER_ROLES, Key("", meta["name"]), {**role, "metadata": meta, "rules": rules})


def _without_rules(entry: Obj) -> Obj:
    """Return an entry of managedFields without the rules, which the controller takes over."""
    fields = entry.get("fieldsV1") or {}
    return {**entry, "fieldsV1": {name: value for name, value in fields.items() if name != "f:rules"}}
