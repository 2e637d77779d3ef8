"""One version of a custom resource: its kind, and everything its definition says of it.

In: a CustomResourceDefinition as stored. Out: :func:`kinds`, one a served version, each with the
:class:`Version` that the API server decodes, defaults, validates and prints its objects by. Nothing
is compiled before somebody asks for it.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kctl.api.objects import Obj, dig
from kctl.api.registry import Kind

if TYPE_CHECKING:
    from kctl.api.crd.rules import Rules
    from kctl.api.schema.node import Node

VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""What can be done with every custom resource, in the order discovery shows it."""
ANYTHING: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
PRIORITY = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")


class Version:
    """One version of one definition; never changes."""

    def __init__(self, definition: Obj, entry: Obj) -> None:
        self.definition = definition
        self.entry = entry
        self.name: str = entry["name"]

    @cached_property
    def schema(self) -> Obj:
        """The structural schema; everything is kept where there is none, or the definition says so."""
        found: Obj | None = dig(self.entry, "schema", "openAPIV3Schema")
        if not found:
            return ANYTHING
        if dig(self.definition, "spec", "preserveUnknownFields"):
            return {**found, "x-kubernetes-preserve-unknown-fields": True}
        return found

    @cached_property
    def node(self) -> Node:
        """The schema as patches and server-side apply read it."""
        from kctl.api.crd import nodes

        return nodes.root(self.schema, f"{self.definition['spec']['names']['kind']}.{self.name}")

    @cached_property
    def rules(self) -> Rules | None:
        """The compiled ``x-kubernetes-validations``; None when the schema has none."""
        if '"x-kubernetes-validations"' not in _text(self.schema):
            return None
        from kctl.api.crd import rules

        return rules.compiled(self.schema)

    @property
    def kind(self) -> str:
        """The kind its objects are of."""
        return str(self.definition["spec"]["names"]["kind"])

    @property
    def list_kind(self) -> str:
        """What a list of them is called."""
        return str(dig(self.definition, "spec", "names", "listKind") or f"{self.kind}List")

    @property
    def has_status(self) -> bool:
        """Say whether status is a subresource."""
        return dig(self.entry, "subresources", "status") is not None

    @property
    def scale(self) -> Obj | None:
        """The paths of the scale subresource; None where there is none."""
        found: Obj | None = dig(self.entry, "subresources", "scale")
        return found

    @property
    def deprecation(self) -> str:
        """What is said of a version that should not be used any more, "" of others."""
        if not self.entry.get("deprecated"):
            return ""
        text = self.entry.get("deprecationWarning")
        return str(text or f"{self.definition['spec']['group']}/{self.name} {self.kind} is deprecated")

    @property
    def selectable(self) -> tuple[str, ...]:
        """The fields that field selectors may name."""
        return tuple(one["jsonPath"].removeprefix(".") for one in self.entry.get("selectableFields") or ())

    def not_written(self, subresource: str, obj: Obj) -> tuple[tuple[str, ...], ...]:
        """Return the fields a request cannot write (GetResetFields of the strategies)."""
        if subresource == "status":
            return tuple((name,) for name in sorted({"metadata", *obj} - {"status", "apiVersion", "kind"}))
        return (("status",),) if not subresource and self.has_status else ()

    def sibling(self, api_version: str) -> Version:
        """Return another version of the same definition; this one when there is no such."""
        name = api_version.rpartition("/")[2]
        if name == self.name:
            return self
        entry = next((one for one in self.definition["spec"]["versions"] if one["name"] == name), None)
        return self if entry is None else version_of(self.definition, entry)

    @property
    def is_converted(self) -> bool:
        """Say whether a webhook would convert objects between versions."""
        return bool(dig(self.definition, "spec", "conversion", "strategy") == "Webhook")

    @property
    def is_terminating(self) -> bool:
        """Say whether the definition is on its way out, and its instances with it."""
        return bool(self.definition["metadata"].get("deletionTimestamp"))


def version_of(definition: Obj, entry: Obj) -> Version:
    """Return a version of a definition."""
    return Version(definition, entry)


def _text(schema: Obj) -> str:
    import json

    return json.dumps(schema)


def kinds(definition: Obj, *, established: bool = True) -> list[Kind]:
    """Return the kinds a definition brings, the one to be preferred first.

    ``established`` asks for what its status says is accepted; without, for what its spec wishes.
    """
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return []
    names = dig(definition, "status", "acceptedNames") if established else spec.get("names")
    group, versions = spec.get("group"), spec.get("versions")
    if not isinstance(names, dict) or not isinstance(versions, list) or not isinstance(group, str):
        return []
    plural, kind = names.get("plural"), names.get("kind")
    if not (isinstance(plural, str) and isinstance(kind, str) and plural and kind and group):
        return []
    served = [v for v in versions if isinstance(v, dict) and isinstance(v.get("name"), str) and v.get("served", True)]
    return [
        Kind(
            group,
            entry["name"],
            kind,
            plural,
            names.get("singular") or kind.lower(),
            spec.get("scope") != "Cluster",
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            VERBS,
            _subresources(entry),
            version_of(definition, entry),
        )
        for entry in sorted(served, key=lambda one: priority(one["name"]))
    ]


def _subresources(entry: Obj) -> tuple[str, ...]:
    found = entry.get("subresources")
    return tuple(name for name in ("status", "scale") if isinstance(found, dict) and found.get(name) is not None)


def stored(definition: Obj) -> str:
    """Return the name of the version objects are stored in."""
    return next((v["name"] for v in definition["spec"]["versions"] if v.get("storage")), "")


def priority(name: str) -> tuple[int, int, int, str]:
    """Order versions as version.CompareKubeAwareVersionStrings: v2, v1, v1beta1, v1alpha1, others by name."""
    found = PRIORITY.fullmatch(name)
    if not found:
        return 3, 0, 0, name
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return stage, -int(found[1]), -int(found[3] or 0), name


def is_established(definition: Obj) -> bool:
    """Say whether a definition's resources are served."""
    conditions: list[Any] = dig(definition, "status", "conditions") or []
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
