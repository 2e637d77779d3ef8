"""Make the committed schema tables: ``python -m kctl.api.schema.generate [--check]``.

In comes the OpenAPI document of Kubernetes 1.36 as the development dependency
``kubernetes-validate`` carries it; out go ``v1.36.json`` (types and everything the API server
needs) and ``v1.36.descriptions.json`` (texts, for ``explain`` alone). Only what a kind of the
registry reaches is kept. That package rewrites four things, which are undone here: optional
types are ``[T, "null"]``, IntOrString and Quantity lose their format, apiVersion and kind get an
``enum``, and references begin with ``#/$defs/``.

A line of a table is a definition. A node is its type when that is all it has: a scalar
(``string``, ``int32``, ``int64``, ``double``, ``boolean``, ``byte``), ``any``, or the name of a
definition (which has dots). Otherwise it is a dict with the keys of :data:`KEYS`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kctl.api import kinds, registry

MINOR = "1.36"
HERE = Path(__file__).parent

KEYS = {
    "t": "type",
    "p": "properties",
    "i": "items",
    "a": "additionalProperties",
    "r": "required",
    "e": "enum",
    "f": "format",
    "k": "x-kubernetes-patch-merge-key",
    "s": "x-kubernetes-patch-strategy",
    "l": "x-kubernetes-list-type",
    "m": "x-kubernetes-list-map-keys",
    "d": "defaults of list map keys",
    "M": "x-kubernetes-map-type",
}

PREFIXES = (
    ("io.k8s.apimachinery.pkg.apis.", ""),
    ("io.k8s.apimachinery.pkg.", ""),
    ("io.k8s.apiextensions-apiserver.pkg.apis.", ""),
    ("io.k8s.kube-aggregator.pkg.apis.", ""),
    ("io.k8s.api.", ""),
)

SPECIAL: dict[str, Any] = {
    "api.resource.Quantity": {"t": "quantity"},
    "util.intstr.IntOrString": {"t": "int-or-string"},
    "meta.v1.Time": {"t": "string", "f": "date-time"},
    "meta.v1.MicroTime": {"t": "string", "f": "date-time"},
    "meta.v1.FieldsV1": {"t": "object"},
    "runtime.RawExtension": {"t": "object"},
}
"""Definitions whose Go type reads and writes its own JSON."""

KEY_DEFAULTS = {"core.v1.ContainerPort": {"protocol": "TCP"}, "core.v1.ServicePort": {"protocol": "TCP"}}
"""Keys of lists of maps that have a default, so that server-side apply finds items without them."""

EXTRA = ("meta.v1.DeleteOptions", "meta.v1.Status")
"""Definitions the API server reads or writes beyond the kinds of the registry."""


def source() -> Path | None:
    """Return the file to read, or None when ``kubernetes-validate`` is not installed."""
    spec = find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(spec.submodule_search_locations[0])
    return root / "kubernetes-json-schema" / f"v{MINOR}.0-local" / "_definitions.json"


def short(name: str) -> str:
    """Shorten a definition's name: ``core.v1.Pod``, ``meta.v1.ObjectMeta``."""
    name = name.removeprefix("#/$defs/")
    for prefix, instead in PREFIXES:
        if name.startswith(prefix):
            return instead + name.removeprefix(prefix)
    return name


def compact(node: dict[str, Any], name: str = "") -> Any:
    """Write one node of the OpenAPI document in the table's form."""
    if name in SPECIAL:
        return SPECIAL[name]
    out: dict[str, Any] = {"t": _type_of(node)}
    if properties := node.get("properties"):
        is_object = "x-kubernetes-group-version-kind" in node
        out["p"] = {field: _field(field, properties[field], is_object) for field in sorted(properties)}
    for key in "ia":
        if isinstance(child := node.get(KEYS[key]), dict):
            out[key] = compact(child)
    for key in "reksmlM":
        if value := node.get(KEYS[key]):
            out[key] = value
    if out["t"] == "array" and out["i"] in KEY_DEFAULTS and "protocol" in out.get("m", ()):
        out["d"] = KEY_DEFAULTS[out["i"]]
    return out["t"] if len(out) == 1 else out


def _field(field: str, node: dict[str, Any], of_object: bool) -> Any:
    """Write a property; apiVersion and kind of a whole object lose the enum they were given."""
    if of_object and field in ("apiVersion", "kind"):
        node = {key: value for key, value in node.items() if key != "enum"}
    return compact(node)


def _type_of(node: dict[str, Any]) -> str:
    """Return the type without the added null; the format of numbers and bytes is their type."""
    if "$ref" in node:
        return short(node["$ref"])
    kind = node.get("type", "any")
    if isinstance(kind, list):
        (kind,) = (one for one in kind if one != "null")
    return str(node.get("format", kind))


def roots(definitions: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the definition of every kind of the registry: ``{"apps/v1/Deployment": name}``."""
    found = {}
    for name, node in definitions.items():
        for gvk in node.get("x-kubernetes-group-version-kind", ()):
            found[f"{gvk['group']}/{gvk['version']}/{gvk['kind']}".lstrip("/")] = short(name)
    return {key: found[key] for key in sorted(_served()) if key in found}


def _served() -> Iterator[str]:
    """Name every kind of the registry, and every kind that a subresource reads."""
    for kind in registry.builtin().all():
        yield f"{kind.api_version}/{kind.kind}"
    for line in kinds.SUBRESOURCES.strip().splitlines():
        _, group_version, kind_name, _ = line.split()
        yield f"{group_version}/{kind_name}"


def references(node: Any) -> Iterator[str]:
    """Name the definitions a node of the table refers to."""
    if isinstance(node, str):
        if "." in node:
            yield node
        return
    yield from references(node["t"])
    for child in (node.get("i"), node.get("a"), *node.get("p", {}).values()):
        if child is not None:
            yield from references(child)


def reachable(table: dict[str, Any], first: Iterable[str]) -> list[str]:
    """Return the names of all definitions that can be reached, sorted."""
    seen: set[str] = set()
    queue = list(first)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue.extend(references(table[name]))
    return sorted(seen)


def tables(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema table and the table of descriptions."""
    definitions: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["$defs"]
    everything = {short(name): compact(node, short(name)) for name, node in definitions.items()}
    of_kind = roots(definitions)
    kept = reachable(everything, (*of_kind.values(), *EXTRA))
    original = {short(name): node for name, node in definitions.items()}
    texts = {name: _texts(original[name]) for name in kept}
    return {"kinds": of_kind, **{name: everything[name] for name in kept}}, texts


def _texts(node: dict[str, Any]) -> list[Any]:
    """Return a definition's description, and those of its properties."""
    properties = node.get("properties", {})
    texts = {field: properties[field].get("description", "") for field in sorted(properties)}
    return [node.get("description", ""), {field: text for field, text in texts.items() if text}]


def written(table: dict[str, Any]) -> str:
    """Write a table with a definition on each line, so that a new minor shows as a readable diff."""
    lines = (
        f"{json.dumps(name)}:{json.dumps(node, separators=(',', ':'), ensure_ascii=False)}"
        for name, node in table.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write both tables, or with ``--check`` only say whether they are current."""
    path = source()
    if path is None:
        sys.stderr.write("kubernetes-validate is not installed: pip install -e '.[dev]'\n")
        return 1
    stale = 0
    for suffix, table in zip(("", ".descriptions"), tables(path), strict=True):
        target = HERE / f"v{MINOR}{suffix}.json"
        text = written(table)
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{target.name} is not current\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
