"""The whole product with RBAC on: every component acts under its own user, and its roles suffice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kctl import ControlPlane
from kctl.api.errors import StatusError, UsageError
from kctl.api.objects import Obj
from kctl.apiserver import authz
from kctl.plane import cluster as clusters

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what any user is refused while the test runs."""
    found: list[str] = []

    def refused(asked: authz.Attributes, reason: str) -> StatusError:
        found.append(authz.said(asked))
        return made(asked, reason)

    made = authz.refused
    monkeypatch.setattr(authz, "refused", refused)
    return found


def documents(folder: Path) -> Iterator[Obj]:
    """Yield the manifests of a sample, Namespaces first."""
    found = [
        document
        for path in sorted(folder.glob("*.yaml"))
        if path.name != "kctl.yaml"
        for document in yaml.safe_load_all(path.read_text())
        if document
    ]
    yield from sorted(found, key=lambda document: document["kind"] != "Namespace")


@pytest.mark.parametrize("sample", ["web-shop", "too-small", "gpus"])
def test_no_component_is_refused_anything(sample: str, refusals: list[str]) -> None:
    with ControlPlane.open(None, nodes=3, cloud="local", authorization="Node,RBAC") as plane:
        if sample == "gpus":
            plane.shape_nodes(clusters.parse(yaml.safe_load((SAMPLES / sample / "kctl.yaml").read_text())))
        for document in documents(SAMPLES / sample):
            kind = plane.server.registry.by_kind(document["apiVersion"], document["kind"])
            assert kind is not None
            if kind.namespaced:
                document["metadata"].setdefault("namespace", "default")
            plane.client.create(kind.resource, document)
        plane.converge()
        assert plane.client.list("pods").items
        for namespace in plane.client.list("namespaces").items:
            if not namespace["metadata"]["name"].startswith("kube-"):
                plane.request("DELETE", f"/api/v1/namespaces/{namespace['metadata']['name']}")
        plane.advance("1h")
        assert not plane.converger.manager.crashes
    assert refusals == []


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no such authorization mode: 'Webhook'"):
        ControlPlane.open(None, authorization="Node,Webhook")
