"""Who wrote what because of what: told by the log afterwards, and by a run while it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.plan import ledger, why

Obj = dict[str, Any]
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "example/c:1"}]},
        },
    },
}


@pytest.fixture
def scaled() -> Iterator[ControlPlane]:
    """A plane where a Deployment was made, and scaled from 2 to 3 later."""
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", WEB)
        cp.converge()
        cp.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 3}})
        cp.commit(cause="scale")
        cp.converge()
        yield cp


def history(cp: ControlPlane, resource: str, obj: Obj) -> list[Obj]:
    return [write.data() for write in ledger.of_log(cp, cp.server.registry.storage(resource), obj)]


def test_the_log_tells_what_a_person_wrote_and_what_the_controllers_made_of_it(scaled: ControlPlane) -> None:
    web = scaled.client.get("deployments.apps", "default", "web")
    found = history(scaled, "deployments.apps", web)
    assert [write["what"] for write in found] == ["created", *["changed"] * (len(found) - 1)]
    [mine] = [write for write in found if write["cause"] == "scale"]
    assert mine["by"] == ["kctl"]
    assert mine["changes"] == [{"path": "spec.replicas", "from": 2, "to": 3}]
    assert found[-1]["by"] == ["kube-controller-manager (deployment-controller)"]
    assert {"path": "status.readyReplicas", "from": 2, "to": 3} in found[-1]["changes"]

    [rs] = scaled.client.list("replicasets.apps").items
    [grown] = [
        write
        for write in history(scaled, "replicasets.apps", rs)
        if {"path": "spec.replicas", "from": 2, "to": 3} in write["changes"]
    ]
    assert grown["because"] == f"deployment.apps/web at revision {mine['revision']}"
    assert "kube-controller-manager (deployment-controller)" in grown["by"]


def test_each_write_answers_the_one_before_it(scaled: ControlPlane) -> None:
    scaled.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 4}})
    scaled.converge()
    [rs] = scaled.client.list("replicasets.apps").items
    grown = [
        (change["to"], write["because"])
        for write in history(scaled, "replicasets.apps", rs)
        for change in write["changes"]
        if change["path"] == "spec.replicas"
    ]
    assert [to for to, _ in grown] == [3, 4]
    assert len({because for _, because in grown}) == 2


def test_revisions_times_and_objects_of_the_ledger_are_those_of_the_log(scaled: ControlPlane) -> None:
    for pod in scaled.client.list("pods").items:
        found = history(scaled, "pods", pod)
        assert [write["revision"] for write in found] == sorted({write["revision"] for write in found})
        assert str(found[-1]["revision"]) == pod["metadata"]["resourceVersion"]
        assert found[0]["because"].startswith("replicaset.apps/web-")


def test_what_was_compacted_is_not_told_of(scaled: ControlPlane) -> None:
    before = history(scaled, "deployments.apps", scaled.client.get("deployments.apps", "default", "web"))
    scaled.compact()
    after = history(scaled, "deployments.apps", scaled.client.get("deployments.apps", "default", "web"))
    assert len(after) < len(before)


def test_a_run_tells_which_controller_wrote_while_it_was_at_which_key() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.converge()
        cp.client.create("deployments.apps", WEB)
        with cp.ledger() as written:
            cp.converge()
        rows = written.data()
        made = {
            (row["controller"], row["key"], row["object"].split("/")[0]) for row in rows if row["what"] == "created"
        }
        [rs] = cp.client.list("replicasets.apps").items
        assert ("deployment-controller", "default/web", "replicaset.apps") in made
        assert ("replicaset-controller", f"default/{rs['metadata']['name']}", "pod") in made
        bound = [row for row in rows if row["controller"] == "kube-scheduler"]
        assert {change["path"] for row in bound for change in row["changes"]} >= {"spec.nodeName"}
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        before = len(rows)
        cp.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 1}})
        cp.converge()
        assert len(written.data()) == before  # it was told to stop


def test_why_tells_the_history_and_the_blockers_of_everything_on_the_chain() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        spec = {**WEB["spec"]["template"]["spec"]}  # type: ignore[index]
        spec["containers"] = [{**spec["containers"][0], "envFrom": [{"secretRef": {"name": "absent"}}]}]
        template = {**WEB["spec"]["template"], "spec": spec}  # type: ignore[index]
        cp.client.create("deployments.apps", {**WEB, "spec": {**WEB["spec"], "template": template}})  # type: ignore[dict-item]
        cp.converge()
        for resource in ("deployments.apps", "replicasets.apps"):
            [obj] = cp.client.list(resource).items
            found = why.explain(cp, resource, obj)
            assert [entry["leaf"]["object"] for entry in found["blockers"]] == ["secret/absent"]
            assert found["history"][0]["what"] == "created"
