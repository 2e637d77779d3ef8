"""The health of kinds whose status a controller writes, and of Jobs that are there no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl.api import health
from kctl.api.objects import Obj


def cron_job(*, suspend: bool = False, **status: Any) -> Obj:
    return {"metadata": {}, "spec": {"suspend": suspend}, "status": status}


AT, BEFORE = "2026-01-01T00:10:00Z", "2026-01-01T00:05:02Z"


def of(rule: str, obj: Obj) -> tuple[str, str]:
    found = health.RULES[rule](obj)
    return found.state, found.reason


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        (cron_job(), ("Current", "NotScheduledYet")),
        (cron_job(suspend=True, lastScheduleTime=AT), ("Current", "Suspended")),
        (cron_job(lastScheduleTime=AT, lastSuccessfulTime="2026-01-01T00:10:02Z"), ("Current", "")),
        (cron_job(lastScheduleTime=AT, lastSuccessfulTime=BEFORE), ("Failed", "LastRunFailed")),
        (cron_job(lastScheduleTime=AT), ("Failed", "LastRunFailed")),
        (cron_job(lastScheduleTime=AT, active=[{"name": "x"}]), ("Current", "")),
    ],
)
def test_a_cronjob_is_as_its_last_run_ended(obj: Obj, wanted: tuple[str, str]) -> None:
    assert of("cronjobs.batch", obj) == wanted


def sized(generation: int = 1, seen: int = 1, strategy: Obj | None = None, replicas: int = 3, **status: int) -> Obj:
    spec: Obj = {"replicas": replicas, "updateStrategy": strategy or {"type": "RollingUpdate"}}
    return {"metadata": {"generation": generation}, "spec": spec, "status": {"observedGeneration": seen, **status}}


PARTITION = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}


@pytest.mark.parametrize(
    ("rule", "obj", "wanted"),
    [
        ("statefulsets.apps", sized(2, 1), ("InProgress", "NotObserved")),
        ("statefulsets.apps", sized(replicas=3, readyReplicas=2, updatedReplicas=3), ("InProgress", "Progressing")),
        ("statefulsets.apps", sized(readyReplicas=3, updatedReplicas=2, replicas=3), ("InProgress", "Progressing")),
        ("statefulsets.apps", sized(strategy=PARTITION, readyReplicas=3, updatedReplicas=1), ("Current", "")),
        ("statefulsets.apps", sized(strategy={"type": "OnDelete"}, readyReplicas=3), ("Current", "")),
        ("statefulsets.apps", sized(readyReplicas=3, updatedReplicas=3), ("Current", "")),
        ("daemonsets.apps", sized(2, 1), ("InProgress", "NotObserved")),
        ("daemonsets.apps", sized(desiredNumberScheduled=2, numberAvailable=1), ("InProgress", "Progressing")),
        ("daemonsets.apps", sized(desiredNumberScheduled=2, numberAvailable=2), ("InProgress", "Progressing")),
        (
            "daemonsets.apps",
            sized(desiredNumberScheduled=2, numberAvailable=2, updatedNumberScheduled=2),
            ("Current", ""),
        ),
        ("daemonsets.apps", sized(), ("Current", "")),
        ("persistentvolumeclaims", {"status": {"phase": "Bound"}}, ("Current", "")),
        ("persistentvolumeclaims", {"status": {"phase": "Pending"}}, ("InProgress", "Unbound")),
        ("persistentvolumeclaims", {"status": {"phase": "Lost"}}, ("Failed", "Lost")),
    ],
)
def test_a_kind_with_a_status_is_as_its_status_says(rule: str, obj: Obj, wanted: tuple[str, str]) -> None:
    assert of(rule, obj) == wanted


DEFINITION = "customresourcedefinitions.apiextensions.k8s.io"


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([], ("InProgress", "NotEstablished")),
        ([{"type": "Established", "status": "True"}], ("Current", "")),
        ([{"type": "NamesAccepted", "status": "False", "reason": "KindConflict"}], ("Failed", "KindConflict")),
        ([{"type": "Established", "status": "False", "reason": "Installing"}], ("InProgress", "Installing")),
    ],
)
def test_a_definition_is_current_once_its_kind_is_served(conditions: list[Obj], wanted: tuple[str, str]) -> None:
    assert of(DEFINITION, {"status": {"conditions": conditions}}) == wanted


JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  activeDeadlineSeconds: 30
  %s
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: %s}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def status_of(folder: Path, ttl: str, capsys: pytest.CaptureFixture[str], image: str = "i") -> tuple[int, str]:
    """Apply a Job, let its time pass, delete it if nothing else does; return what status says and its code."""
    from kctl.cli.main import run

    (folder / "job.yaml").write_text(JOB % (ttl, image), encoding="utf-8")
    assert run(["apply", "-f", "job.yaml"]) in (0, 3)
    assert run(["advance", "1m"]) == 0
    if not ttl:
        assert run(["delete", "job", "once"]) == 0
    capsys.readouterr()
    return run(["status"]), capsys.readouterr().out


def test_a_job_that_its_ttl_removed_is_not_missed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = status_of(folder, "ttlSecondsAfterFinished: 5", capsys)
    assert (code, said) == (
        0,
        "job.batch/once Current (Job completed, and its ttlSecondsAfterFinished removed it)\n",
    )


def test_a_job_that_somebody_deleted_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = status_of(folder, "", capsys)
    assert (code, said) == (3, "job.batch/once Missing: NotFound: it was applied and is not there\n")


def test_a_job_that_failed_has_failed_also_when_its_ttl_removed_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = status_of(folder, "ttlSecondsAfterFinished: 5", capsys, image="i/NOT-pullable")
    assert code == 3
    assert said.startswith("job.batch/once Failed: DeadlineExceeded: Job was active longer than specified deadline")
    assert said.endswith("and its ttlSecondsAfterFinished removed it\n")
