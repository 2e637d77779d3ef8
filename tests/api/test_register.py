"""The register knows every kind, and every field that a simulated kind is simulated by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kctl.api import register, registry, schema
from kctl.api.objects import Obj
from kctl.api.register import ACCEPTED, CARRIED, SIMULATED
from kctl.api.schema import Node

BUILTIN = registry.builtin()


def kind_of(name: str) -> registry.Kind:
    """Return the kind a user calls ``name``."""
    found = BUILTIN.find(name)
    assert found is not None
    return found


def test_every_kind_is_in_the_register_and_nothing_else() -> None:
    assert set(register._kinds()) == {kind.resource for kind in BUILTIN.all()}


def test_what_is_accepted_says_what_is_missing() -> None:
    kinds = [entry for entry in register._kinds().values() if entry.state not in (SIMULATED, CARRIED)]
    fields = [f for known in register._fields().values() for f in known.values() if f.state not in (SIMULATED, CARRIED)]
    assert all(entry.note for entry in kinds)
    assert all(field.note for field in fields)


def simulated_nodes() -> Iterator[Node]:
    """Yield every definition that is reached from a simulated kind along simulated fields."""
    queue = [
        node for kind in BUILTIN.all() if register.state_of(kind) == SIMULATED and (node := schema.of(kind)) is not None
    ]
    seen: set[str] = set()
    while queue:
        node: Node | None = queue.pop()
        while node is not None and not node.properties:
            node = node.items or node.additional
        if node is None or node.name in seen or node.name.startswith("meta.v1."):
            continue
        seen.add(node.name)
        yield node
        queue += [
            child
            for name, child in node.properties.items()
            if (field := register.field_of(node.name, name)) and field.state == SIMULATED
        ]


def test_every_field_reached_along_simulated_fields_is_in_the_register() -> None:
    whole = {node.name for kind in BUILTIN.all() if (node := schema.of(kind)) is not None}
    silent = []
    for node in simulated_nodes():
        known = register.fields_of(node.name) or {}
        skipped = register.OUTSIDE if node.name in whole else frozenset()
        silent += [f"{node.name}.{name}" for name in node.properties if name not in known and name not in skipped]
    assert silent == []


def test_the_register_names_no_field_that_does_not_exist() -> None:
    reached = {node.name for node in simulated_nodes()}
    for definition, known in register._fields().items():
        assert set(known) <= set(schema.definition(definition).properties), definition
        assert definition in reached, definition


def test_what_matters_to_scheduling_rollout_and_networking_is_decided_upon() -> None:
    for definition in ("core.v1.PodSpec", "apps.v1.DeploymentSpec", "core.v1.ServiceSpec", "core.v1.NodeSpec"):
        assert set(schema.definition(definition).properties) == set(register.fields_of(definition) or ())


POD: Obj = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {
        "containers": [
            {"name": "a", "lifecycle": {"preStop": {"sleep": {"seconds": 1}}}, "command": ["x"]},
            {"name": "b", "lifecycle": {"postStart": {"exec": {"command": ["x"]}}}},
        ],
        "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}, {"name": "w", "emptyDir": {}}],
        "schedulerName": "default-scheduler",
        "resourceClaims": [],
        "tolerations": [{"key": "a", "tolerationSeconds": 60}],
    },
}


def test_an_object_says_which_accepted_fields_it_uses() -> None:
    entries = register.not_simulated(kind_of("pod"), POD)
    assert [entry.path for entry in entries] == [
        "spec.containers[].lifecycle.postStart.exec",
        "spec.volumes[].nfs",
    ]
    assert {entry.state for entry in entries} == {ACCEPTED}


def test_a_template_is_looked_into_as_a_pod_is() -> None:
    deployment = {"spec": {"template": {"spec": {**POD["spec"], "ephemeralContainers": [{}]}}}}
    paths = [entry.path for entry in register.not_simulated(kind_of("deploy"), deployment)]
    assert "spec.template.spec.containers[].lifecycle.postStart.exec" in paths
    assert "spec.template.spec.ephemeralContainers" in paths


def test_an_accepted_kind_is_one_entry() -> None:
    entries = register.not_simulated(kind_of("ing"), {"spec": {"ingressClassName": "web"}})
    assert [entry.path for entry in entries] == [""]
    assert entries[0].note


def test_a_plain_service_uses_nothing_that_is_not_simulated() -> None:
    spec = {
        "type": "LoadBalancer",
        "ports": [{"port": 80}],
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }
    assert register.not_simulated(kind_of("svc"), {"spec": spec}) == []
    used = register.not_simulated(kind_of("svc"), {"spec": {**spec, "sessionAffinity": "ClientIP"}})
    assert [entry.path for entry in used] == ["spec.sessionAffinity"]


def test_a_custom_resource_is_accepted() -> None:
    widget = registry.Kind("example.com", "v1", "Widget", "widgets", "widget", True)
    assert register.state_of(widget) == ACCEPTED
    assert register.not_simulated(widget, {})[0].note == register.CUSTOM


def test_own_kinds_are_simulated() -> None:
    assert register.not_simulated(kind_of("intent"), {"spec": {"anything": 1}}) == []


@pytest.mark.parametrize("topic", ["scheduling", "latencies", "images"])
def test_departures_from_upstreams_defaults_are_listed(topic: str) -> None:
    assert any(entry.path == topic and entry.note for entry in register.deviations())
