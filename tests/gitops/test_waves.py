"""Waves: what annotations of Argo CD, Helm, kapp and cli-utils make of the order, and that health is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Obj
from kctl.api.registry import builtin
from kctl.cli import carry
from kctl.cli.session import Opened
from kctl.gitops import manifests, waves
from kctl.gitops.apply import Options
from kctl.gitops.sources import ManifestErrors, Source
from kctl.gitops.targets import resolve

ARGO, HELM, KAPP = "argocd.argoproj.io", "helm.sh", "kapp.k14s.io"


def one(name: str, **annotations: Any) -> str:
    """Return a ConfigMap with annotations; ``__`` stands for a slash."""
    lines = "".join(f'    {key}: "{value}"\n' for key, value in annotations.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations:\n{lines or '    a: b'}\n"


def read(*texts: str) -> list[Any]:
    found, errors = manifests.collect([Source("a.yaml", lambda: "---\n".join(texts).encode())], manifests.DEFAULTS)
    assert errors == []
    return found


def arranged(*texts: str) -> waves.Waves:
    return waves.arrange(resolve(read(*texts), builtin()))


def names(found: waves.Waves) -> list[list[str]]:
    return [sorted(target.key.name for target in wave) for wave in found.waves]


WAVE, HOOK = f"{ARGO}/sync-wave", f"{ARGO}/hook"
DEPENDS = "config.kubernetes.io/depends-on"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"a": {}, "b": {}}, [["a", "b"]]),
        ({"a": {WAVE: "2"}, "b": {WAVE: "-1"}, "c": {}}, [["b"], ["c"], ["a"]]),
        ({"a": {WAVE: "soon"}, "b": {}}, [["a", "b"]]),
        ({"a": {HOOK: "PostSync"}, "b": {WAVE: "99"}, "c": {HOOK: "PreSync"}}, [["c"], ["b"], ["a"]]),
        ({"a": {f"{HELM}/hook": "post-install,post-upgrade"}, "b": {}}, [["b"], ["a"]]),
        ({"a": {f"{HELM}/hook": "pre-install", f"{HELM}/hook-weight": "5"}, "b": {HOOK: "PreSync"}}, [["b"], ["a"]]),
        ({"a": {DEPENDS: "/namespaces/default/ConfigMap/b"}, "b": {}, "c": {}}, [["b", "c"], ["a"]]),
        ({"a": {DEPENDS: "/namespaces/default/ConfigMap/elsewhere"}, "b": {}}, [["a", "b"]]),
        (
            {"a": {f"{KAPP}/change-group": "db"}, "b": {f"{KAPP}/change-rule": "upsert after upserting db"}},
            [["a"], ["b"]],
        ),
        (
            {"a": {f"{KAPP}/change-group.x": "db"}, "b": {f"{KAPP}/change-rule.y": "upsert before upserting db"}},
            [["b"], ["a"]],
        ),
        ({"a": {HOOK: "SyncFail"}, "b": {HOOK: "Skip"}, "c": {}}, [["c"]]),
        ({"a": {"config.kubernetes.io/local-config": "true"}, "b": {}}, [["b"]]),
    ],
)
def test_annotations_make_waves(said: dict[str, dict[str, str]], expected: list[list[str]]) -> None:
    found = arranged(*(one(name, **annotations) for name, annotations in said.items()))
    assert names(found) == expected
    assert found.errors == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"a": {DEPENDS: "/namespaces/default/ConfigMap/b"}, "b": {DEPENDS: "/namespaces/default/ConfigMap/a"}},
            "itself",
        ),
        ({"a": {DEPENDS: "/namespaces/default/ConfigMap/b"}, "b": {WAVE: "1"}}, "later wave"),
    ],
)
def test_contradictions_are_errors(said: dict[str, dict[str, str]], message: str) -> None:
    found = arranged(*(one(name, **annotations) for name, annotations in said.items()))
    assert any(message in str(error) for error in found.errors)


@pytest.mark.parametrize(
    ("name", "value", "is_named"),
    [
        (f"{ARGO}/hook-delete-policy", "HookSucceeded", True),
        (f"{ARGO}/sync-options", "Replace=true", False),
        (f"{ARGO}/sync-options", "Prune=false", False),
        (f"{KAPP}/update-strategy", "always-replace", True),
        (f"{KAPP}/change-rule", "delete after deleting x", True),
        ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent", True),
        ("kustomize.toolkit.fluxcd.io/prune", "disabled", False),
        (f"{ARGO}/tracking-id", "x", False),
        ("example.com/mine", "x", False),
    ],
)
def test_what_is_not_carried_out_is_named(name: str, value: str, is_named: bool) -> None:
    said = [str(remark) for remark in arranged(one("a", **{name: value})).remarks]
    assert any(name in text for text in said) is is_named


def apply(plane: ControlPlane, *texts: str) -> Obj:
    return carry.report_of(Opened(plane, None), read(*texts), carry.Job("set", {}, Options()))


JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {argocd.argoproj.io/hook: PreSync}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}
"""
WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {argocd.argoproj.io/sync-wave: "-1"}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: x, resources: {requests: {cpu: "%s"}}}]}
"""


def test_a_wave_starts_when_the_one_before_is_healthy() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        assert apply(plane, one("late"), JOB, WEB % "1")["verdict"] == "Converged"
        job = plane.client.get("jobs.batch", "default", "migrate")
        web = plane.client.get("deployments.apps", "default", "web")
        late = plane.client.get("configmaps", "default", "late")
        assert job["status"]["completionTime"] <= web["metadata"]["creationTimestamp"]
        ready = next(c for c in web["status"]["conditions"] if c["type"] == "Available")["lastTransitionTime"]
        assert ready <= late["metadata"]["creationTimestamp"]
        assert web["metadata"]["creationTimestamp"] < late["metadata"]["creationTimestamp"]
        before = plane.revision
        assert apply(plane, one("late"), JOB, WEB % "1")["verdict"] == "Converged"
        assert plane.revision == before


def test_a_wave_that_never_becomes_healthy_holds_the_next_ones_back_and_says_so() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        report = apply(plane, one("late"), WEB % "64")
        assert report["verdict"] == "Settled"
        said = [entry["message"] for entry in report["residual"] if entry["reason"] == "NotApplied"]
        assert said == [
            "the set has not been carried out to its end yet: "
            "the next wave waits for deployments.apps/web (ProgressDeadlineExceeded)"
        ]
        assert "late" not in [found["metadata"]["name"] for found in plane.client.list("configmaps").items]
        assert apply(plane, one("late"), WEB % "1")["verdict"] == "Converged"
        assert plane.client.get("configmaps", "default", "late")


def test_a_namespace_comes_with_the_first_wave_that_needs_it() -> None:
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    inside = one("early", **{WAVE: "-5"}).replace("name: early", "name: early\n  namespace: shop")
    with ControlPlane.open(None) as plane:
        assert apply(plane, space, inside)["verdict"] == "Converged"


def test_a_contradiction_is_refused_before_anything_is_written() -> None:
    with ControlPlane.open(None) as plane, pytest.raises(ManifestErrors, match=r"a\.yaml:\d+: .*later wave"):
        apply(plane, one("a", **{DEPENDS: "/namespaces/default/ConfigMap/b"}), one("b", **{WAVE: "1"}))
