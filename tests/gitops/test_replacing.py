"""What cannot be changed is made anew where that is wanted; hooks run again whenever their set changes."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.api.objects import Obj
from kctl.cli import carry
from kctl.cli.session import Opened
from kctl.gitops import manifests
from kctl.gitops.apply import Options
from kctl.gitops.sources import ManifestErrors, Source

JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {%s}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "x:%d"}]}}}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s}\n"
HOOK = "argocd.argoproj.io/hook: PreSync"


def apply(plane: ControlPlane, *texts: str, recreate: bool = False) -> Obj:
    found, errors = manifests.collect([Source("a.yaml", "---\n".join(texts).encode)], manifests.DEFAULTS)
    assert errors == []
    return carry.report_of(Opened(plane, None), found, carry.Job("set", {}, Options(recreate=recreate)))


def changes(report: Obj) -> dict[str, str]:
    return {entry["name"]: entry["change"] for entry in report["intent"]}


def job(plane: ControlPlane) -> Obj:
    return plane.client.get("jobs.batch", "default", "migrate")


def test_an_immutable_field_is_refused_with_the_way_out() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        apply(plane, JOB % ("a: b", 1))
        uid, revision = job(plane)["metadata"]["uid"], plane.revision
        with pytest.raises(ManifestErrors, match=r"a\.yaml:\d+: .*field is immutable.*--recreate"):
            apply(plane, JOB % ("a: b", 2))
        assert (job(plane)["metadata"]["uid"], plane.revision) == (uid, revision)
        report = apply(plane, JOB % ("a: b", 2), recreate=True)
        assert changes(report) == {"migrate": "replaced"}
        assert "spec.template.spec.containers[name=c].image" in [f["path"] for f in report["intent"][0]["fields"]]
        assert report["verdict"] == "Converged"
        assert job(plane)["metadata"]["uid"] != uid
        pods = plane.client.list("pods", "default").items
        assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["x:2"]
        assert changes(apply(plane, JOB % ("a: b", 2))) == {"migrate": "unchanged"}


@pytest.mark.parametrize(
    "asks",
    [
        "kctl.dev/recreate: enabled",
        "argocd.argoproj.io/sync-options: Replace=true",
        "kustomize.toolkit.fluxcd.io/force: enabled",
    ],
)
def test_an_object_can_ask_for_it(asks: str) -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        apply(plane, JOB % (asks, 1))
        assert changes(apply(plane, JOB % (asks, 2))) == {"migrate": "replaced"}


def test_a_hook_runs_again_when_its_set_changes_and_not_otherwise() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        assert changes(apply(plane, JOB % (HOOK, 1), SETTINGS % "red")) == {"migrate": "created", "settings": "created"}
        first, revision = job(plane)["metadata"]["uid"], plane.revision
        assert set(changes(apply(plane, JOB % (HOOK, 1), SETTINGS % "red")).values()) == {"unchanged"}
        assert (job(plane)["metadata"]["uid"], plane.revision) == (first, revision)
        report = apply(plane, JOB % (HOOK, 1), SETTINGS % "blue")
        assert changes(report) == {"migrate": "replaced", "settings": "configured"}
        assert report["verdict"] == "Converged"
        assert job(plane)["metadata"]["uid"] != first
        done = job(plane)["status"]["completionTime"]
        entry = plane.client.get("configmaps", "default", "settings")["metadata"]["managedFields"][0]
        assert entry["time"] >= done


def test_a_hook_of_another_image_is_no_contradiction() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        apply(plane, JOB % (HOOK, 1), SETTINGS % "red")
        assert changes(apply(plane, JOB % (HOOK, 2), SETTINGS % "blue"))["migrate"] == "replaced"
        kept = f"{HOOK}, argocd.argoproj.io/hook-delete-policy: HookFailed"
        apply(plane, JOB % (kept, 2), SETTINGS % "green")
        with pytest.raises(ManifestErrors, match="immutable"):
            apply(plane, JOB % (kept, 3), SETTINGS % "green")
