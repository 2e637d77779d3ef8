"""The registry agrees with the discovery of a real server and finds kinds by every name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kctl.api import registry
from kctl.api.registry import Kind, Registry

DISCOVERY = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "api" / "discovery.jsonl.gz"
BUILTIN = registry.builtin()
OWN = {"kctl.dev", "cloud.kctl.dev", "sim.kctl.dev"}


def recorded(path: str) -> list[Any]:
    """Return the bodies a real kube-apiserver answered for ``path``."""
    if not DISCOVERY.exists():
        pytest.skip("the recorded discovery answers are not here")
    with gzip.open(DISCOVERY, "rt") as lines:
        steps = [step for line in lines for step in json.loads(line)["steps"]]
    return [s["response"]["body"] for s in steps if s["request"].get("path") == path and s["response"]["code"] == 200]


def as_discovered(kind: Kind) -> list[Any]:
    """Write a kind and its subresources as rows of an APIResourceList."""
    rows: list[Any] = [
        (kind.plural, kind.singular, kind.namespaced, kind.kind, kind.verbs, kind.short_names, kind.categories)
    ]
    for name in kind.subresources:
        sub = BUILTIN.subresource(kind, name)
        assert sub is not None
        rows.append((sub.plural, "", sub.namespaced, sub.kind, sub.verbs, (), ()))
    return rows


def test_core_is_what_a_real_server_discovers() -> None:
    lists = [body for body in recorded("/api/v1") if body["kind"] == "APIResourceList"]
    want = [
        (
            r["name"],
            r["singularName"],
            r["namespaced"],
            r["kind"],
            tuple(r["verbs"]),
            tuple(r.get("shortNames", ())),
            tuple(r.get("categories", ())),
        )
        for r in lists[0]["resources"]
    ]
    assert [row for kind in BUILTIN.all() if kind.api_version == "v1" for row in as_discovered(kind)] == want


def test_groups_are_what_a_real_server_discovers() -> None:
    aggregated = [body for body in recorded("/apis") if body["kind"] == "APIGroupDiscoveryList"]
    want = []
    for group in aggregated[0]["items"]:
        for version in group["versions"]:
            for r in version["resources"]:
                names = tuple(r.get("shortNames", ())), tuple(r.get("categories", ()))
                head = (group["metadata"]["name"], version["version"])
                namespaced = r["scope"] == "Namespaced"
                kind = r["responseKind"]["kind"]
                row = (r["resource"], r["singularResource"], namespaced, kind, tuple(r["verbs"]), *names)
                want.append((*head, row))
                for sub in r.get("subresources", ()):
                    plural = f"{r['resource']}/{sub['subresource']}"
                    verbs = tuple(sub["verbs"])
                    want.append((*head, (plural, "", namespaced, sub["responseKind"]["kind"], verbs, (), ())))
    got = [
        (kind.group, kind.version, row)
        for kind in BUILTIN.all()
        if kind.group and kind.group not in OWN
        for row in as_discovered(kind)
    ]
    assert got == want


def test_storage_versions_have_the_hashes_a_real_server_shows() -> None:
    paths = [
        "/api/v1",
        "/apis/autoscaling/v1",
        "/apis/batch/v1",
        "/apis/events.k8s.io/v1",
        "/apis/networking.k8s.io/v1",
    ]
    seen = 0
    for path in paths:
        body = next(body for body in recorded(path) if body["kind"] == "APIResourceList")
        group, _, version = body["groupVersion"].rpartition("/")
        for r in body["resources"]:
            if "storageVersionHash" in r:
                kind = BUILTIN.by_path(group, version, r["name"])
                assert kind is not None
                assert BUILTIN.storage(kind.resource).storage_version_hash == r["storageVersionHash"], r["name"]
                seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("deploy", "deployments.apps"),
        ("deployments.apps", "deployments.apps"),
        ("deployments.v1.apps", "deployments.apps"),
        ("Deployment", "deployments.apps"),
        ("deployment.apps", "deployments.apps"),
        ("Deployment.v1.apps", "deployments.apps"),
        ("pod", "pods"),
        ("PODS", "pods"),
        ("po", "pods"),
        ("pods.v1.", "pods"),
        ("pods.v1", "pods"),
        ("ep", "endpoints"),
        ("ev", "events"),
        ("events", "events"),
        ("events.events.k8s.io", "events.events.k8s.io"),
        ("netpol", "networkpolicies.networking.k8s.io"),
        ("crds", "customresourcedefinitions.apiextensions.k8s.io"),
        ("instances", "instances.cloud.kctl.dev"),
        ("intent", "intents.kctl.dev"),
    ],
)
def test_a_kind_is_found_by_any_of_its_names(name: str, resource: str) -> None:
    found = BUILTIN.find(name)
    assert found is not None
    assert found.resource == resource


@pytest.mark.parametrize("name", ["", ".", "nope", "deployments.v2.apps", "pods.apps", "deployments.extensions", "all"])
def test_what_no_kind_is_called_is_not_found(name: str) -> None:
    assert BUILTIN.find(name) is None


def test_the_preferred_version_wins_and_the_other_can_be_named() -> None:
    preferred, older = BUILTIN.find("hpa"), BUILTIN.find("hpa.v1.autoscaling")
    assert preferred is not None
    assert older is not None
    assert (preferred.version, older.version) == ("v2", "v1")
    assert BUILTIN.storage("horizontalpodautoscalers.autoscaling") == preferred


def test_names_in_objects_and_paths_lead_to_the_same_kind() -> None:
    for kind in BUILTIN.all():
        assert BUILTIN.by_kind(kind.api_version, kind.kind) == kind
        assert BUILTIN.by_path(kind.group, kind.version, kind.plural) == kind
        assert BUILTIN.find(f"{kind.plural}.{kind.version}.{kind.group}") == kind


def test_events_of_both_groups_are_the_same_stored_objects() -> None:
    assert BUILTIN.storage("events.events.k8s.io") == BUILTIN.storage("events")


def test_category_all_is_what_get_all_lists() -> None:
    assert [kind.resource for kind in BUILTIN.category("all")] == [
        "pods",
        "replicationcontrollers",
        "services",
        "daemonsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "statefulsets.apps",
        "horizontalpodautoscalers.autoscaling",
        "cronjobs.batch",
        "jobs.batch",
    ]


def test_own_kinds_are_cluster_scoped() -> None:
    own = [kind for kind in BUILTIN.all() if kind.group in OWN]
    names = ["Intent", "Inventory", "RenderedSet", "Instance", "LoadBalancer", "Volume", "Scenario"]
    assert [kind.kind for kind in own] == names
    assert not any(kind.namespaced for kind in own)


def test_added_kinds_are_found_and_never_hide_builtin_ones() -> None:
    widget = Kind("example.com", "v1", "Widget", "widgets", "widget", True, ("po", "wd"), subresources=("scale",))
    more = BUILTIN.with_kinds([widget])
    assert more.find("wd") == widget
    assert more.find("po") == BUILTIN.find("pods")
    assert BUILTIN.find("wd") is None
    scale = more.subresource(widget, "scale")
    assert scale is not None
    assert (scale.api_version, scale.kind) == ("autoscaling/v1", "Scale")
    assert more.subresource(widget, "status") is None


def test_an_empty_registry_answers_nothing() -> None:
    empty = Registry([])
    assert empty.find("pods") is None
    with pytest.raises(KeyError):
        empty.storage("pods")
