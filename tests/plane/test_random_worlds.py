"""Random worlds with quotas, schedules, budgets and faults: every run ends, and the next one has nothing to write."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Obj
from tests.runtime.test_retries import DEPLOYMENTS, made, quota

RARELY, OFTEN = 0.1, 0.5
QUOTAS = ({"pods": "3"}, {"requests.cpu": "2"}, {"count/replicasets.apps": "1"}, {"count/jobs.batch": "1"})
STRATEGIES: tuple[Obj, ...] = (
    {},
    {"strategy": {"type": "Recreate"}},
    {"minReadySeconds": 30},
    {"revisionHistoryLimit": 0},
)
JOBS: tuple[Obj, ...] = (
    {},
    {"completions": 3, "parallelism": 2},
    {"activeDeadlineSeconds": 100},
    {"ttlSecondsAfterFinished": 20},
    {"backoffLimit": 1000},
)


def template(draw: random.Random, name: str, **spec: Any) -> Obj:
    """Return a pod template, seldom one that asks for what is not there."""
    container: Obj = {
        "name": "c",
        "image": f"example/{name}:v1",
        "resources": {"requests": {"cpu": draw.choice(["100m", "1"])}},
    }
    if draw.random() < RARELY:
        container["readinessProbe"] = {"httpGet": {"port": 80}, "periodSeconds": draw.choice([1, 10])}
    lacking: Obj = {
        "serviceAccountName": "nobody",
        "priorityClassName": "none",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": "s", "secret": {"secretName": "missing"}}],
    }
    spec |= {field: value for field, value in lacking.items() if draw.random() < RARELY}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}


def objects(draw: random.Random) -> list[tuple[str, Obj]]:
    """Return what is applied."""

    def matching(name: str) -> Obj:
        return {"selector": {"matchLabels": {"app": name}}}

    web = {
        "replicas": draw.randint(0, 5),
        **matching("web"),
        "template": template(draw, "web"),
        **draw.choice(STRATEGIES),
    }
    db = {"replicas": draw.randint(1, 3), "serviceName": "db", **matching("db"), "template": template(draw, "db")}
    job = {"template": template(draw, "job", restartPolicy=draw.choice(["Never", "OnFailure"])), **draw.choice(JOBS)}
    cron = {"schedule": "* * * * *", "concurrencyPolicy": draw.choice(["Allow", "Forbid", "Replace"])}
    scheduled = {"spec": {"template": template(draw, "cron", restartPolicy="Never"), "backoffLimit": 1}}
    may = [
        ("resourcequotas", quota(**draw.choice(QUOTAS))),
        (DEPLOYMENTS, made("apps/v1", "Deployment", "web", spec=web)),
        ("statefulsets.apps", made("apps/v1", "StatefulSet", "db", spec=db)),
        (
            "daemonsets.apps",
            made("apps/v1", "DaemonSet", "agent", spec={**matching("agent"), "template": template(draw, "agent")}),
        ),
        ("jobs.batch", made("batch/v1", "Job", "job", spec=job)),
        ("cronjobs.batch", made("batch/v1", "CronJob", "cron", spec={**cron, "jobTemplate": scheduled})),
        (
            "poddisruptionbudgets.policy",
            made("policy/v1", "PodDisruptionBudget", "web", spec={"maxUnavailable": 1, **matching("web")}),
        ),
    ]
    return [one for one in may if draw.random() < OFTEN]


def faults(draw: random.Random, kinds: set[str]) -> list[str]:
    """Return what happens to them."""
    node, at = f"node-{draw.choice('123*')}", f"@{draw.randint(0, 600)}s"
    lasts = draw.choice(["", f"+{draw.randint(1, 900)}s"])
    may = [
        f"node:{node}={draw.choice(['die', 'cordon', 'drain', 'pressure memory'])}{at}{lasts}",
        f"node:{node}={draw.choice(['reboot', 'terminate'])}{at}",
        f"image:{draw.choice(['web', 'db', 'job', 'agent', 'cron'])}:v1={draw.choice(['fail', '30s'])}",
    ]
    for name, kind in (("deploy/web", DEPLOYMENTS), ("sts/db", "statefulsets.apps")):
        if kind in kinds:
            may += [f"crash:{name}={draw.randint(0, 3)}@{draw.choice([0, 26, 200])}s", f"restart:{name}{at}"]
    if "jobs.batch" in kinds:
        may.append(f"exit:job/job={draw.randint(0, 2)}")
    return draw.sample(may, draw.randint(0, 3))


def lives(seed: int) -> None:
    """Play a world; its end holds for the same process and for another."""
    draw = random.Random(seed)
    there = objects(draw)
    texts = faults(draw, {resource for resource, _ in there})
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        for resource, obj in there:
            cp.client.create(resource, obj)
        report = cp.play(*texts, timeout="6h") if texts else cp.converge(timeout="6h")
        assert not cp.converger.manager.crashes, cp.converger.manager.crashes[0].trace
        assert report["verdict"] != "Horizon", (seed, texts)
        assert report["verdict"] != "Oscillating" or report["why"]
        for is_fresh in (False, True):
            if is_fresh:
                cp.converger.drop()
            cp.use_mark(False)
            again = cp.converge()
            assert (again["verdict"], again["revision"]) == (report["verdict"], report["revision"]), (seed, texts)


@pytest.mark.parametrize("seed", range(6))
def test_a_few_random_worlds_end_and_stay_as_they_are(seed: int) -> None:
    lives(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_more_random_worlds_end_and_stay_as_they_are(seed: int) -> None:
    lives(seed)
