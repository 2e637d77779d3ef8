"""The roles and bindings every cluster with RBAC has, as objects.

In: the tables of :mod:`kctl.api.rbac_table`. Out, by resource, the objects that kube-apiserver's
post-start hook would make, those that gather rules complete. They are not written to the store
before somebody changes one: the storage knows them (:meth:`kctl.apiserver.storage.Storage.objects`), so that opening a
cluster costs nothing, and each start of kctl reconciles them with this version as upstream does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from kctl.api import names, rbac, rbac_table
from kctl.api.objects import Key, Obj

API_VERSION = f"{rbac.GROUP}/v1"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
GATHERED = "rbac.authorization.k8s.io/aggregate-to-"
RESOURCES = (rbac.CLUSTER_ROLES, rbac.CLUSTER_ROLE_BINDINGS, rbac.ROLES, rbac.ROLE_BINDINGS)
READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
EVENTS: Obj = {"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]}
AGGREGATOR = "clusterrole-aggregation-controller"


class Row(NamedTuple):
    """One role of a table."""

    namespace: str
    name: str
    binding: str
    subjects: tuple[str, ...] | None
    label: str
    gathers: str
    rules: list[Obj]


def objects(resource: str, seed: int, created: str) -> dict[Key, Obj]:
    """Return the objects of one of :data:`RESOURCES`; ``created`` is when the cluster began."""
    return _all(seed, created).get(resource, {})


@lru_cache(maxsize=4)
def _all(seed: int, created: str) -> dict[str, dict[Key, Obj]]:
    found: dict[str, dict[Key, Obj]] = {resource: {} for resource in RESOURCES}
    for row in rows():
        for resource, obj in _made(row):
            meta = obj["metadata"]
            key = Key(meta.get("namespace", ""), meta["name"])
            uid = names.uid(seed, resource, key.namespace, key.name, 0)
            place = {"namespace": key.namespace} if key.namespace else {}
            fields = _owned(obj, created)
            obj["metadata"] = {
                "name": key.name,
                **place,
                "uid": uid,
                "resourceVersion": "1",
                "creationTimestamp": created,
                "labels": meta["labels"],
                "annotations": {AUTOUPDATE: "true"},
                "managedFields": fields,
            }
            found[resource][key] = obj
    _gather(found[rbac.CLUSTER_ROLES])
    return found


def _gather(roles: dict[Key, Obj]) -> None:
    """Complete the roles that gather others; ``view`` comes before ``edit`` before ``admin``."""
    for name in ("view", "edit", "admin"):
        role = roles[Key("", name)]
        role["rules"] = rbac.aggregated(role, roles.values())
        roles[Key("", name)] = {**_without(role, "aggregationRule"), "aggregationRule": role["aggregationRule"]}


def _without(obj: Obj, field: str) -> Obj:
    return {name: value for name, value in obj.items() if name != field}


def rows() -> Iterator[Row]:
    """Read the tables."""
    yield from _rows(rbac_table.CLUSTER_ROLES, "")
    yield from _rows(rbac_table.OWN_ROLES, "")
    for row in _rows(rbac_table.CONTROLLER_ROLES, ""):
        name = f"system:controller:{row.name}"
        yield row._replace(name=name, binding=name, subjects=(f"account:{row.name}",))
    yield from _rows(rbac_table.ROLES, "namespaced")


def _rows(table: str, namespaced: str) -> Iterator[Row]:
    row: Row | None = None
    for line in table.strip().splitlines():
        if line.startswith(" "):
            if row is not None:
                row.rules.append(_rule(line.split()))
            continue
        if row is not None:
            yield row
        row = _row(line.split(), namespaced)
    if row is not None:
        yield row


def _row(words: list[str], namespaced: str) -> Row:
    namespace = words.pop(0) if namespaced else ""
    name = binding = words.pop(0)
    subjects: tuple[str, ...] | None = None
    label = gathers = ""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word == "->":
            subjects = () if following == "nobody" else tuple(following.split(","))
        elif word == "as":
            binding = following
        elif word[0] == "+":
            label = word[1:]
        elif word[0] == "=":
            gathers = word[1:]
    return Row(namespace, name, binding, subjects, label, gathers, [])


def _rule(words: list[str]) -> Obj:
    if words == ["events"]:
        return EVENTS
    if words[0] == "url":
        return {"verbs": words[1].split(","), "nonResourceURLs": words[2].split(",")}
    verbs: list[str] = []
    for verb in words[0].split(","):
        verbs += {"read": READ, "write": WRITE}.get(verb, (verb,))
    rule: Obj = {
        "verbs": sorted(verbs),
        "apiGroups": ["" if group == "core" else group for group in words[1].split(",")],
        "resources": words[2].split(","),
    }
    if len(words) > 3:
        rule["resourceNames"] = words[3].split(",")
    return rule


def _made(row: Row) -> Iterator[tuple[str, Obj]]:
    """Yield a row's role, and its binding where it has one."""
    labels = {**LABELS, **({f"{GATHERED}{row.label}": "true"} if row.label else {})}
    kind = "Role" if row.namespace else "ClusterRole"
    role: Obj = {"kind": kind, "apiVersion": API_VERSION, "metadata": _meta(row, row.name, labels)}
    if row.gathers:
        role["aggregationRule"] = {
            "clusterRoleSelectors": [{"matchLabels": {f"{GATHERED}{row.gathers}": "true"}}],
        }
    role["rules"] = row.rules
    yield rbac.ROLES if row.namespace else rbac.CLUSTER_ROLES, role
    if row.subjects is None:
        return
    binding: Obj = {"kind": f"{kind}Binding", "apiVersion": API_VERSION, "metadata": _meta(row, row.binding, LABELS)}
    if row.subjects:
        binding["subjects"] = [_subject(text) for text in row.subjects]
    binding["roleRef"] = {"apiGroup": rbac.GROUP, "kind": kind, "name": row.name}
    yield rbac.ROLE_BINDINGS if row.namespace else rbac.CLUSTER_ROLE_BINDINGS, binding


def _meta(row: Row, name: str, labels: dict[str, str]) -> Obj:
    place = {"namespace": row.namespace} if row.namespace else {}
    return {"name": name, **place, "labels": labels}


def _subject(text: str) -> Obj:
    kind, _, name = text.partition(":")
    if kind == "account":
        return {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
    return {"kind": kind.capitalize(), "apiGroup": rbac.GROUP, "name": name}


def _owned(obj: Obj, created: str) -> list[Obj]:
    """Return the managedFields that the server's own writes leave."""
    labels: Obj = {".": {}, **{f"f:{name}": {} for name in sorted(obj["metadata"]["labels"])}}
    fields: Obj = {"f:metadata": {"f:annotations": {".": {}, f"f:{AUTOUPDATE}": {}}, "f:labels": labels}}
    entries = []
    if "aggregationRule" in obj:
        fields = {"f:aggregationRule": {".": {}, "f:clusterRoleSelectors": {}}, **fields}
        entries.append(entry(AGGREGATOR, "Apply", created, {"f:rules": {}}))
    for name in ("roleRef", "rules", "subjects"):
        if name in obj and "aggregationRule" not in obj:
            fields[f"f:{name}"] = {}
    return [*entries, entry("kube-apiserver", "Update", created, fields)]


def entry(manager: str, operation: str, time: str, fields: Obj) -> Obj:
    """Return one entry of managedFields."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": API_VERSION,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
