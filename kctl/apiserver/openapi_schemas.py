"""The schemas of an OpenAPI v3 document: the compact table written out again.

In: names of definitions as :mod:`kctl.api.schema` calls them (``core.v1.Pod``). Out: the schemas of
``components``, all that those refer to included, with descriptions, and the defaults that Go's
types imply: the zero of a scalar that is always written, ``{}`` of a struct that is no pointer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kctl.api import schema
from kctl.api.objects import Obj

HERE = Path(__file__).parent
PREFIX = "#/components/schemas/"
LONG = {
    "meta": "io.k8s.apimachinery.pkg.apis.",
    "runtime": "io.k8s.apimachinery.pkg.",
    "util": "io.k8s.apimachinery.pkg.",
    "api": "io.k8s.apimachinery.pkg.",
    "version": "io.k8s.apimachinery.pkg.",
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.",
}
SCALARS: dict[str, Obj] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "array": {"type": "array"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "integer": {"type": "integer"},
    "double": {"type": "number", "format": "double"},
    "number": {"type": "number"},
    "byte": {"type": "string", "format": "byte"},
    "date-time": {"type": "string", "format": "date-time"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "int-or-string": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "any": {},
}
ZEROS = {"string": "", "boolean": False, "int32": 0, "int64": 0, "integer": 0, "double": 0}
EXTENSIONS = {
    "k": "x-kubernetes-patch-merge-key",
    "s": "x-kubernetes-patch-strategy",
    "l": "x-kubernetes-list-type",
    "m": "x-kubernetes-list-map-keys",
    "M": "x-kubernetes-map-type",
}
ALWAYS = {
    "policy.v1.PodDisruptionBudgetStatus": ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
    "scheduling.v1.PriorityClass": ("value",),
}
"""Scalars that are always written although they need not be given."""
STRUCTS = {
    *("metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy", "scaleTargetRef"),
    *("metric", "describedObject", "current", "resources", "loadBalancer", "nodeInfo", "daemonEndpoints"),
    *("kubeletEndpoint", "involvedObject", "source", "regarding", "deprecatedSource", "target", "roleRef", "names"),
    *("acceptedNames", "clientConfig", "podSelector", "state", "lastState", "podAffinityTerm", "preference"),
    *("limitResponse", "priorityLevelConfiguration", "devices", "conditions", "volumeClaimTemplate"),
}
"""Fields whose Go type is a struct, wherever they occur."""
POINTERS = {
    ("core.v1.ReplicationControllerSpec", "template"),
    ("networking.v1.NetworkPolicyPeer", "podSelector"),
    ("apiextensions.v1.WebhookConversion", "clientConfig"),
}
"""Fields of those names that are pointers."""
POINTER_TYPES = {"meta.v1.LabelSelector"}
ENUMS: dict[tuple[str, str], dict[str, str]] = {
    ("scheduling.v1.PriorityClass", "preemptionPolicy"): {
        "Never": "means that pod never preempts other pods with lower priority.",
        "PreemptLowerPriority": "means that pod can preempt other pods with lower priority.",
    },
    ("policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"): {
        "AlwaysAllow": 'policy means that all running pods (status.phase="Running"), but not yet healthy are '
        "considered disrupted and can be evicted regardless of whether the criteria in a PDB is met. This means "
        "perspective running pods of a disrupted application might not get a chance to become healthy. Healthy pods "
        "will be subject to the PDB for eviction.",
        "IfHealthyBudget": 'policy means that running pods (status.phase="Running"), but not yet healthy can be '
        "evicted only if the guarded application is not disrupted (status.currentHealthy is at least equal to "
        "status.desiredHealthy). Healthy pods will be subject to the PDB for eviction.",
    },
}
"""The enumerations that the document spells out, as far as they are known here."""


@cache
def data() -> Obj:
    """Read what the documents have beyond the schemas of kinds: parameters, lists, the types of every path."""
    found: Obj = json.loads((HERE / "openapi.json").read_text(encoding="utf-8"))
    return found


@cache
def _tables() -> tuple[Obj, Obj]:
    folder = Path(schema.__file__).parent
    raw = json.loads((folder / "v1.36.json").read_text(encoding="utf-8"))
    texts = json.loads((folder / "v1.36.descriptions.json").read_text(encoding="utf-8"))
    return {**raw, **data()["definitions"]}, {**texts, **data()["descriptions"]}


def of_kind(api_version: str, kind: str) -> str:
    """Return the definition of a kind, "" when there is none."""
    return str(_tables()[0]["kinds"].get(f"{api_version}/{kind}") or "")


def has(name: str) -> bool:
    """Say whether there is a definition of that name."""
    return name in _tables()[0]


def long(name: str) -> str:
    """Return the full name of a definition: ``io.k8s.api.core.v1.Pod``."""
    return LONG.get(name.partition(".")[0], "io.k8s.api.") + name


def ref(name: str) -> Obj:
    """Return a reference to a definition."""
    return {"$ref": f"{PREFIX}{long(name)}"}


def schemas(names: Iterable[str], group: str) -> dict[str, Obj]:
    """Return the schemas of definitions and of all they refer to; ``group`` is whose document it is."""
    table, _ = _tables()
    seen: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in seen and name in table:
            seen.add(name)
            queue += _references(table[name])
    return {long(name): _definition(name, group) for name in sorted(seen, key=long)}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        if "." in node:
            yield node
        return
    yield from _references(node["t"])
    for child in (node.get("i"), node.get("a"), *node.get("p", {}).values()):
        if child is not None:
            yield from _references(child)


def _definition(name: str, group: str) -> Obj:
    table, texts = _tables()
    raw = table[name]
    text, fields = texts.get(name) or ["", {}]
    out: Obj = {"description": text} if text else {}
    if name in INTSTR:
        out["description"] = INTSTR[name]
    out.update(_shape(raw))
    required = raw.get("r") or [] if isinstance(raw, dict) else []
    if required:
        out["required"] = required
    properties = raw.get("p") if isinstance(raw, dict) else None
    if properties:
        always = {*required, *ALWAYS.get(name, ())}
        out["properties"] = {
            field: _property(name, field, child, fields.get(field, ""), always) for field, child in properties.items()
        }
    gvks = _gvks(name, group)
    if gvks:
        out["x-kubernetes-group-version-kind"] = gvks
    return out


INTSTR = {
    "util.intstr.IntOrString": "IntOrString is a type that can hold an int32 or a string.  When used in JSON or YAML "
    "marshalling and unmarshalling, it produces or consumes the inner type.  This allows you to have, for example, a "
    "JSON field that can accept a name or number.",
}


def _shape(raw: Any) -> Obj:
    """Return type, items and the like of a node, without its properties."""
    if isinstance(raw, str):
        return ref(raw) if "." in raw else dict(SCALARS[raw])
    kind = raw["t"]
    out = ref(kind) if "." in kind else dict(SCALARS[kind])
    if raw.get("f"):
        out["format"] = raw["f"]
    if raw.get("e"):
        out["enum"] = raw["e"]
    if "i" in raw:
        out["items"] = _shape(raw["i"])
    if "a" in raw:
        out["additionalProperties"] = _shape(raw["a"])
    out.update({long_name: raw[key] for key, long_name in EXTENSIONS.items() if raw.get(key)})
    return out


def _property(owner: str, field: str, raw: Any, text: str, always: set[str]) -> Obj:
    out: Obj = {"description": text} if text else {}
    shape = _shape(raw)
    target = shape.pop("$ref", "")
    if target:
        shape = {"allOf": [{"$ref": target}], **shape}
        if _is_struct(owner, field, raw):
            out["default"] = {}
    elif field in always and isinstance(raw, str) and raw in ZEROS:
        out["default"] = ZEROS[raw]
    values = ENUMS.get((owner, field))
    if values:
        listed = "\n".join(f' - `"{value}"` {said}' for value, said in values.items())
        out["description"] = f"{text}\n\nPossible enum values:\n{listed}"
        shape["enum"] = list(values)
    return {**out, **shape}


def _is_struct(owner: str, field: str, raw: Any) -> bool:
    name = raw if isinstance(raw, str) else raw["t"]
    node = _tables()[0].get(name)
    if not isinstance(node, dict) or "p" not in node or (owner, field) in POINTERS:
        return False
    if name in POINTER_TYPES and field != "podSelector":
        return False
    return field in STRUCTS


def _gvks(name: str, group: str) -> list[Obj]:
    """Return the kinds a definition is the schema of."""
    short = name.rpartition(".")[2]
    if name in ("meta.v1.DeleteOptions", "meta.v1.WatchEvent"):
        core = {"group": "", "kind": short, "version": "v1"}
        return [core, {"group": group, "kind": short, "version": "v1"}] if group else [core]
    if name in ("meta.v1.Status", "meta.v1.APIResourceList"):
        return [{"group": "", "kind": short, "version": "v1"}]
    for place, known in _by_definition().items():
        if known == name or name == f"{known}List":
            api_version, _, kind = place.rpartition("/")
            found, _, version = api_version.rpartition("/")
            return [{"group": found, "kind": f"{kind}List" if known != name else kind, "version": version}]
    return []


def _by_definition() -> dict[str, str]:
    kinds: dict[str, str] = _tables()[0]["kinds"]
    return kinds
