"""The schema table is complete, current, and says what patches and server-side apply need."""

from __future__ import annotations

import pytest

from kctl.api import registry, schema
from kctl.api.schema import Node, generate, loader

BUILTIN = registry.builtin()


def of(name: str) -> Node:
    """Return the schema of the kind a user calls ``name``."""
    kind = BUILTIN.find(name)
    assert kind is not None
    node = schema.of(kind)
    assert node is not None
    return node


def at(name: str, *path: str) -> Node:
    """Return the node at a path of a kind."""
    node = of(name).at(*path)
    assert node is not None, path
    return node


def test_the_committed_tables_are_what_the_generator_makes() -> None:
    path = generate.source()
    if path is None:
        pytest.skip("kubernetes-validate is not installed")
    for suffix, table in zip(("", ".descriptions"), generate.tables(path), strict=True):
        committed = (generate.HERE / f"v{generate.MINOR}{suffix}.json").read_text(encoding="utf-8")
        assert committed == generate.written(table), "run python -m kctl.api.schema.generate"


def test_every_kind_of_kubernetes_has_a_schema_and_kctls_own_have_none() -> None:
    without = [kind.api_version for kind in BUILTIN.all() if schema.of(kind) is None]
    assert sorted(set(without)) == ["cloud.kctl.dev/v1", "kctl.dev/v1", "sim.kctl.dev/v1"]


def test_every_body_of_a_subresource_has_a_schema() -> None:
    bodies = [BUILTIN.subresource(kind, name) for kind in BUILTIN.all() for name in kind.subresources]
    without = [b.plural for b in bodies if b and not b.kind.endswith("Options") and schema.of(b) is None]
    ours = ("instances", "intents", "loadbalancers", "scenarios", "volumes")
    assert sorted(without) == [f"{plural}/status" for plural in ours]


def test_every_node_can_be_reached_and_has_a_known_type() -> None:
    seen: set[str] = set()
    queue = [node for kind in BUILTIN.all() if (node := schema.of(kind))]
    count = 0
    while queue:
        node = queue.pop()
        count += 1
        assert node.type in {
            "object",
            "array",
            "string",
            "integer",
            "number",
            "boolean",
            "int-or-string",
            "quantity",
            "any",
        }
        assert (node.items is not None) == (node.type == "array")
        if node.name in seen:
            continue
        if node.name:
            seen.add(node.name)
        queue.extend(node.properties.values())
        queue.extend(child for child in (node.items, node.additional) if child)
        assert set(node.required) <= set(node.properties)
        assert set(node.list_map_keys) <= set(node.items.properties if node.items else {})
    assert count > 2000


@pytest.mark.parametrize(
    ("kind", "path", "want"),
    [
        ("deploy", "spec.replicas", ("integer", "int32")),
        ("deploy", "metadata.generation", ("integer", "int64")),
        ("deploy", "metadata.creationTimestamp", ("string", "date-time")),
        ("lease", "spec.renewTime", ("string", "date-time")),
        ("svc", "spec.ports.targetPort", ("int-or-string", "")),
        ("svc", "spec.ports.nodePort", ("integer", "int32")),
        ("pod", "spec.containers.resources.limits.cpu", ("quantity", "")),
        ("pod", "spec.containers.stdin", ("boolean", "")),
        ("secret", "data.token", ("string", "byte")),
        ("cm", "data.key", ("string", "")),
        ("crd", "spec.versions.schema.openAPIV3Schema.properties.a.properties.b.type", ("string", "")),
        ("crd", "spec.versions.schema.openAPIV3Schema.maximum", ("number", "double")),
        ("crd", "spec.versions.schema.openAPIV3Schema.default", ("any", "")),
        ("controllerrevisions", "data", ("object", "")),
        ("deploy", "apiVersion", ("string", "")),
    ],
)
def test_types_and_formats(kind: str, path: str, want: tuple[str, str]) -> None:
    node = at(kind, *path.split("."))
    assert (node.type, node.format) == want


def test_required_fields() -> None:
    assert at("deploy", "spec").required == ("selector", "template")
    assert at("pod", "spec", "containers", "ports").items is not None
    ports = at("pod", "spec", "containers", "ports").items
    assert ports is not None
    assert ports.required == ("containerPort",)


def test_lists_and_maps_say_how_they_merge() -> None:
    containers = at("pod", "spec", "containers")
    assert (containers.merge_key, containers.patch_strategy) == ("name", "merge")
    assert (containers.list_type, containers.list_map_keys) == ("map", ("name",))
    assert at("pod", "metadata", "finalizers").list_type == "set"
    assert at("pod", "spec", "containers", "args").list_type == "atomic"
    assert at("pod", "spec", "volumes").patch_strategy == "merge,retainKeys"
    assert at("pod", "spec", "nodeSelector").map_type == "atomic"


def test_ports_are_found_by_a_key_with_a_default() -> None:
    assert at("svc", "spec", "ports").list_map_defaults == {"protocol": "TCP"}
    assert at("pod", "spec", "containers", "ports").list_map_defaults == {"protocol": "TCP"}
    assert at("pod", "spec", "containers").list_map_defaults == {}


def test_a_place_may_refine_the_definition_it_uses() -> None:
    strategy = at("deploy", "spec", "strategy")
    assert strategy.patch_strategy == "retainKeys"
    assert "rollingUpdate" in strategy.properties
    assert schema.definition("core.v1.ObjectReference").map_type == "atomic"
    assert at("pv", "spec", "claimRef").map_type == "granular"


def test_a_schema_that_contains_itself_is_one_node() -> None:
    root = schema.definition("apiextensions.v1.JSONSchemaProps")
    assert root.at("properties", "a", "not") is root


def test_a_path_that_leads_nowhere_has_no_node() -> None:
    assert of("pod").at("spec", "nope") is None
    assert of("pod").at("spec", "nodeName", "deeper") is None


def test_nodes_are_made_once() -> None:
    assert of("deploy") is of("deploy")
    assert at("deploy", "spec", "template") is at("rs", "spec", "template")


def test_descriptions_are_kept_apart_and_found_by_field() -> None:
    text, fields = schema.describe(at("deploy", "spec"))
    assert text.startswith("DeploymentSpec is")
    assert "desired pods" in fields["replicas"]
    assert schema.describe(at("cm", "data")) == ("", {})
    assert loader.table() is loader.table()
