"""Which rule of a scenario speaks of which image and which pod."""

from __future__ import annotations

import pytest

from kctl.api.objects import Obj
from kctl.api.scenario.matching import image_matches, matches
from kctl.api.scenario.model import Match
from kctl.api.scenario.steps import is_in_zone


@pytest.mark.parametrize(
    ("pattern", "image", "does"),
    [
        ("app:v2", "app:v2", True),
        ("app:v2", "registry.x/team/app:v2", True),
        ("team/app:v2", "registry.x/team/app:v2", True),
        ("app:v2", "myapp:v2", False),
        ("app:v2", "app:v3", False),
        ("app", "registry.x:5000/app:v3", True),
        ("app", "app", True),
        ("app:latest", "app", True),
        ("*/worker:*", "registry.x/worker:1", True),
        ("registry.x/*", "registry.x/a/b:1", True),
        ("registry.x:5000/app:v2", "registry.x:5000/app:v2", True),
    ],
)
def test_a_pattern_means_an_image_or_any_ending_of_its_name(pattern: str, image: str, *, does: bool) -> None:
    assert image_matches(pattern, image) is does


def pod(name: str, owner: tuple[str, str] | None = None, **labels: str) -> Obj:
    meta: Obj = {"name": name, "namespace": "shop", "labels": labels}
    if owner:
        meta["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True, "uid": "u"}]
    return {"metadata": meta, "spec": {"containers": [{"name": "c"}]}}


WEB = pod("web-abc-1", ("ReplicaSet", "web-abc"), **{"pod-template-hash": "abc", "app": "web"})
CRON = pod("tidy-29000000-x", ("Job", "tidy-29000000"))


@pytest.mark.parametrize(
    ("match", "of", "does"),
    [
        (Match(), WEB, True),
        (Match(kind="Deployment", name="web"), WEB, True),
        (Match(kind="deploy", name="w*"), WEB, True),
        (Match(kind="ReplicaSet", name="web-abc"), WEB, True),
        (Match(kind="Pod", name="web-abc-1"), WEB, True),
        (Match(kind="StatefulSet", name="web"), WEB, False),
        (Match(name="web"), WEB, True),
        (Match(kind="Deployment", namespace="other"), WEB, False),
        (Match(labels={"app": "web"}), WEB, True),
        (Match(labels={"app": "other"}), WEB, False),
        (Match(kind="CronJob", name="tidy"), CRON, True),
        (Match(kind="Job", name="tidy"), CRON, False),
        (Match(kind="Deployment", name="naked"), pod("naked"), False),
    ],
)
def test_a_workload_is_known_by_its_pods(match: Match, of: Obj, *, does: bool) -> None:
    assert matches(match, of) is does


def test_a_rule_about_a_container_speaks_of_no_other() -> None:
    assert matches(Match(container="c*"), WEB, "cache")
    assert not matches(Match(container="c*"), WEB, "web")


@pytest.mark.parametrize(("zone", "is_in"), [("local-b", True), ("b", True), ("a", False), ("", False)])
def test_a_zone_is_known_by_its_name_or_its_letter(zone: str, *, is_in: bool) -> None:
    labels = {"topology.kubernetes.io/zone": "local-b", "topology.kubernetes.io/region": "local"}
    assert is_in_zone({"metadata": {"name": "n", "labels": labels}}, zone) is is_in
    assert not is_in_zone({"metadata": {"name": "n"}}, zone)
