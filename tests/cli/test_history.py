"""The past: ``log``, ``get --at``, ``diff A..B``, ``rollback``; and the present as it changes, ``get -w``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl.cli import past, restoring, revision_diff
from kctl.cli.log import Record, counts_text, joined

IMAGE = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2"}]}}}}'


def revision(kctl: Any) -> int:
    """Return the latest revision."""
    return int(kctl("log", "--limit=1", "-o", "json").json()["records"][0]["revision"])


@pytest.fixture
def scaled(web: Any) -> tuple[Any, int, int]:
    """Return kctl, the revision before a scale that has been carried out, and the one after."""
    before = revision(web)
    web("scale", "deploy/web", "--replicas=5")
    return web, before, revision(web)


def test_every_command_that_writes_says_in_the_log_that_it_did(kctl: Any) -> None:
    kctl("init")
    kctl("create", "configmap", "c", "--from-literal=a=b", "--no-wait")
    kctl("delete", "configmap", "c")
    kctl("advance", "5s")
    records = kctl("log", "--reverse", "-o", "json").json()["records"]
    assert [record["cause"] for record in records] == ["init", "converge", "create", "delete", "advance"]
    assert all(record["first"] <= record["revision"] for record in records)


def test_the_log_begins_where_the_history_was_compacted(web: Any) -> None:
    from kctl import ControlPlane

    with ControlPlane.open(".kctl") as cp:
        cp.compact()
        oldest = cp.revision
    assert "compacted" in web("log").err
    web("scale", "deploy/web", "--replicas=4")
    log = web("log", "--reverse", "-o", "json").json()["records"]
    assert [record["cause"] for record in log] == ["scale", "converge"]
    assert log[0]["first"] == oldest + 1
    assert "has been compacted" in web("rollback", str(oldest - 1), code=1).err
    web("rollback", str(oldest))
    assert web.get("deploy", "web")["spec"]["replicas"] == 3


def test_a_request_through_the_door_is_named_in_the_log() -> None:
    from kctl import ControlPlane

    with ControlPlane.open(None) as cp:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        cp.request("POST", "/api/v1/namespaces/default/configmaps?fieldManager=x", body=body)
        causes = [entry.cause for entry in cp.store.entries(0)]
    assert causes == ["init", "POST /api/v1/namespaces/default/configmaps"]


def test_the_log_says_when_why_and_what(scaled: Any) -> None:
    kctl, before, after = scaled
    records = kctl("log", "-o", "json").json()["records"]
    assert [record["cause"] for record in records] == ["converge", "scale", "converge", "apply web.yaml"]
    assert records[1] == {
        "first": before + 1,
        "revision": before + 1,
        "time": records[1]["time"],
        "cause": "scale",
        "commit": "",
        "changes": [{"resource": "deployments.apps", "created": 0, "changed": 1, "deleted": 0}],
    }
    assert records[0]["revision"] == after
    text = kctl("log").out.splitlines()
    assert text[0].split() == ["REVISION", "TIME", "CAUSE", "COMMIT", "CHANGES"]
    assert text[2].split() == [str(before + 1), records[1]["time"], "scale", "-", "~1", "deployments.apps"]
    assert len(kctl("log", "--limit=1").out.splitlines()) == 2
    backwards = kctl("log", "--reverse", "--no-headers").out.splitlines()
    assert [line.split() for line in backwards] == [line.split() for line in text[:0:-1]]
    assert len(kctl("log", "--all").out.splitlines()) > len(text)


def test_the_log_of_one_object_leaves_the_others_out(scaled: Any) -> None:
    kctl, _, _ = scaled
    records = kctl("log", "deploy/web", "-o", "json").json()["records"]
    assert {change["resource"] for record in records for change in record["changes"]} == {"deployments.apps"}
    assert kctl("log", "deploy/none", "--no-headers").out == ""
    assert "name an object" in kctl("log", "deploy", code=2).err


def test_the_log_names_the_commit_that_was_synced(web: Any) -> None:
    import subprocess

    for words in (
        ["init", "-q", "."],
        ["add", "web.yaml"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    web("sync", ".", "--force-conflicts")
    assert [r["commit"] for r in web("log", "-o", "json").json()["records"] if r["cause"] == "sync"] == [head]
    assert head[:12] in web("log").out


def test_steps_of_a_convergence_are_one_record() -> None:
    steps = [
        Record(1, 1, 0.0, 0.0, "apply", "", {}),
        Record(2, 3, 0.0, 0.0, "converge", "", {"pods": (1, 0, 0)}),
        Record(4, 5, 1.0, 1.0, "converge", "", {"pods": (1, 2, 1)}),
        Record(6, 6, 2.0, 2.0, "scale", "", {}),
    ]
    found = list(joined(steps))
    assert [(record.first, record.last) for record in found] == [(1, 1), (2, 5), (6, 6)]
    assert found[1].changes == {"pods": (2, 2, 1)}
    assert counts_text({"pods": (2, 2, 1), "events": (3, 0, 0)}) == "+2 ~2 -1 pods, 3 events and leases"


def test_the_past_is_listed_as_it_was(scaled: Any) -> None:
    kctl, before, after = scaled
    assert len(kctl("get", "pods", "--at", str(before), "--no-headers").out.splitlines()) == 3
    assert kctl.get("deploy", "web", "--at", str(before))["spec"]["replicas"] == 3
    assert kctl.get("deploy", "web", "--at", str(after))["status"]["readyReplicas"] == 5
    assert len(kctl.get("pods", "-l", "app=web", "--at", str(before))["items"]) == 3
    assert kctl("get", "deploy", "none", "--at", str(before), code=1).err == (
        'Error from server (NotFound): deployments.apps "none" not found\n'
    )
    assert "is in the future" in kctl("get", "pods", "--at", "99999", code=1).err
    assert "the past does not change" in kctl("get", "pods", "--at", "3", "-w", code=2).err


def test_a_diff_of_revisions_is_exactly_the_fields_that_changed(scaled: Any) -> None:
    kctl, before, after = scaled
    ran = kctl("diff", f"{before}..{before + 1}", code=1)
    assert ran.out == ("deployment.apps/web changed\n    ~ metadata.generation: 1 -> 2\n    ~ spec.replicas: 3 -> 5\n")
    found = kctl("diff", f"{before}..{after}", "-o", "json", code=1).json()["objects"]
    by_name = {entry["object"]: entry for entry in found}
    assert [entry["change"] for entry in found if entry["kind"] == "Pod"] == ["created"] * 2
    paths = {field["path"]: field for field in by_name["deployment.apps/web"]["fields"]}
    assert paths["status.readyReplicas"] == {"path": "status.readyReplicas", "from": 3, "to": 5}
    assert kctl("diff", f"{before}..{before}").out == ""
    backwards = kctl("diff", f"{after}..{before}", "-o", "json", code=1).json()["objects"]
    assert [entry["change"] for entry in backwards if entry["kind"] == "Pod"] == ["deleted"] * 2


@pytest.mark.parametrize(("args", "text"), [(("x",), "give two revisions as A..B"), (("1..99999",), "in the future")])
def test_a_diff_of_what_is_no_range_is_an_error(web: Any, args: tuple[str, ...], text: str) -> None:
    assert text in web("diff", *args, code=2).err


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1..2", ("1", "2")),
        ("0a1b2c3..12", ("0a1b2c3", "12")),
        ("1...2", None),
        ("1", None),
        ("a..b", None),
        ("-1..2", None),
        ("..", None),
    ],
)
def test_ranges(text: str, found: Any) -> None:
    assert past.parse_range(text) == found


def test_a_status_is_compared_item_by_item() -> None:
    old = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]},
    }
    new = {**old, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    found = revision_diff.field_changes(old, new, revision_diff.schema_of(old))
    assert [change.path for change in found] == ["status.conditions[type=Ready].status"]


def test_a_rollback_is_previewed_then_done_as_a_new_revision(web: Any) -> None:
    before = revision(web)
    web("patch", "deploy/web", "-p", IMAGE)
    web("label", "deploy/web", "team=a")
    web("create", "cm", "extra", "--from-literal=a=b")
    now = revision(web)
    preview = web("rollback", str(before), "--dry-run")
    assert preview.out == (
        "deployment.apps/web configured (dry run)\n"
        '    - metadata.labels: {"team": "a"}\n'
        "    ~ spec.template.spec.containers[name=web].image: nginx:2 -> nginx:1\n"
        "configmap/extra pruned (dry run)\n"
    )
    assert revision(web) == now
    report = web("rollback", str(before), "-o", "json").json()
    assert report["verdict"] == "Converged"
    assert [(entry["object"], entry["change"]) for entry in report["intent"]] == [
        ("deployment.apps/web", "configured"),
        ("configmap/extra", "pruned"),
    ]
    assert revision(web) > now
    assert f"rollback {before}" in web("log").out
    assert {pod["spec"]["containers"][0]["image"] for pod in web.get("pods")["items"]} == {"nginx:1"}
    assert web("rollback", str(before), "--dry-run").out == f"nothing differs from revision {before}\n"
    assert web("rollback", str(now), "--dry-run").out.count("(dry run)") == 2


def test_after_a_rollback_the_next_apply_meets_no_conflict(web: Any) -> None:
    before = revision(web)
    text = Path("web.yaml").read_text(encoding="utf-8")
    web.write("web.yaml", text.replace("nginx:1", "nginx:2"))
    web("apply", "-f", "web.yaml")
    web("rollback", str(before))
    assert web.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
    assert web("diff").out == ""
    web("apply", "-f", "web.yaml")
    assert web.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"


def test_what_was_deleted_comes_back_and_can_be_pruned(web: Any) -> None:
    before = revision(web)
    web("delete", "deploy", "web")
    assert web("rollback", str(before), "-o", "name").out == "deployment.apps/web\n"
    assert len(web.get("pods")["items"]) == 3
    web.write("web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
    web("apply", "-f", "web.yaml", "--prune", "--prune-confirm")
    assert web("get", "deploy", "web", code=1).out == ""


def test_a_rollback_before_an_apply_takes_away_what_it_brought(web: Any) -> None:
    before = revision(web)
    Path("cm.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n", encoding="utf-8")
    web("apply", "-f", "cm.yaml")
    web("rollback", str(before))
    assert web("get", "cm", "late", code=1).out == ""
    assert len(web.get("intents")["items"]) == 1


def test_a_rollback_that_deletes_a_namespace_asks(web: Any) -> None:
    before = revision(web)
    web("create", "ns", "late")
    web("create", "cm", "x", "-n", "late")
    refused = web("rollback", str(before), code=4)
    assert "this deletes namespaces/late with all they hold" in refused.err
    assert web("get", "cm", "x", "-n", "late").code == 0
    web("rollback", str(before), "--prune-confirm")
    assert web("get", "ns", "late", code=1).out == ""


def test_a_rollback_to_the_beginning_leaves_what_every_cluster_has(web: Any) -> None:
    preview = web("rollback", "2", "--dry-run").out
    assert preview == "deployment.apps/web pruned (dry run)\n"
    assert "there is no revision 0: the first is 1" in web("rollback", "0", code=1).err
    assert "is in the future" in web("rollback", "99999", code=1).err


def test_a_cordon_is_rolled_back(web: Any) -> None:
    before = revision(web)
    web("cordon", "node-1")
    web("rollback", str(before))
    assert "unschedulable" not in web.get("node", "node-1")["spec"]


STORED = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, labels: {a: "1"}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
USER = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: nginx}]
  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]
"""


def test_a_rollback_leaves_a_claim_bound_and_brings_its_pod_back(kctl: Any) -> None:
    kctl.write("a.yaml", STORED)
    kctl.write("b.yaml", USER)
    before = kctl("apply", "-f", "a.yaml", "-o", "json").json()["revision"]
    after = kctl("apply", "-f", "b.yaml", "-o", "json").json()["revision"]
    volume = kctl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}").out
    assert volume.startswith("pvc-")
    kctl("label", "pvc", "data", "a=2", "--overwrite")
    assert "pod/p pruned (dry run)" in kctl("rollback", str(before), "--dry-run").out
    kctl("rollback", str(before), "--prune-confirm")
    seen = "jsonpath={.metadata.labels.a} {.spec.volumeName} {.status.phase}"
    assert kctl("get", "pvc", "data", "-o", seen).out == f"1 {volume} Bound"
    kctl("rollback", str(after))
    assert kctl("get", "pod", "p", "-o", "jsonpath={.status.phase}").out == "Running"


def test_a_pod_comes_back_without_its_node() -> None:
    then = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "uid": "u", "resourceVersion": "3"},
        "spec": {"nodeName": "n", "containers": []},
        "status": {"phase": "Running"},
    }
    assert restoring.fresh(then) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": []},
    }


MANY = """\
apiVersion: batch/v1
kind: Job
metadata: {name: j}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: rs}
spec:
  selector: {matchLabels: {app: rs}}
  template: {metadata: {labels: {app: rs}}, spec: {containers: [{name: c, image: nginx}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fixed}
immutable: true
data: {a: app}
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {type: LoadBalancer, selector: {app: rs}, ports: [{port: 80, nodePort: 30100}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: manual}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]
"""
NAMES = [
    "configmap/fixed",
    "endpoints/manual",
    "job.batch/j",
    "pod/bare",
    "replicaset.apps/rs",
    "service/s",
]


@pytest.fixture
def many(kctl: Any) -> tuple[Any, int]:
    """Return kctl and the revision where some objects that cannot be changed at will had settled."""
    kctl("init")
    kctl.write("many.yaml", MANY)
    kctl("create", "-f", "many.yaml")
    return kctl, revision(kctl)


def shown(kctl: Any, before: int) -> list[tuple[str, str]]:
    """Roll back and return what it did to which object."""
    entries = kctl("rollback", str(before), "-o", "json").json()["intent"]
    return [(entry["object"], entry["change"]) for entry in entries]


def test_deleted_objects_come_back_but_not_what_controllers_made_of_them(many: Any) -> None:
    kctl, before = many
    kctl("delete", "-f", "many.yaml")
    kctl("create", "service", "nodeport", "other", "--tcp=80", "--node-port=30100")
    assert shown(kctl, before) == [*((name, "created") for name in NAMES), ("service/other", "pruned")]
    assert len(kctl.get("loadbalancers")["items"]) == 1
    job = kctl.get("job", "j")
    named = "batch.kubernetes.io/controller-uid"
    assert job["spec"]["selector"]["matchLabels"] == {named: job["metadata"]["uid"]}
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert job["status"]["succeeded"] == 1
    assert shown(kctl, before) == []


def test_an_object_that_cannot_become_what_was_in_its_place_is_made_anew(many: Any) -> None:
    kctl, before = many
    kctl("delete", "-f", "many.yaml", "--now")
    kctl.write(
        "many.yaml",
        MANY.replace("app: rs", "app: r2")
        .replace("a: app", "a: b")
        .replace("busybox", "b2")
        .replace("image: nginx", "image: n2"),
    )
    kctl("create", "-f", "many.yaml")
    changes = dict(shown(kctl, before))
    anew = ("configmap/fixed", "replicaset.apps/rs", "job.batch/j")
    assert {name: changes[name] for name in anew} == dict.fromkeys(anew, "replaced")
    assert kctl.get("cm", "fixed")["data"] == {"a": "app"}
    assert kctl.get("pod", "bare")["spec"]["containers"][0]["image"] == "nginx"
    assert shown(kctl, before) == []


class Interrupted:
    """Does something the first time it is waited, and interrupts the second time."""

    def __init__(self, act: Any) -> None:
        self._acts = [act]

    def __call__(self, seconds: float) -> None:
        if not self._acts:
            raise KeyboardInterrupt
        self._acts.pop()()


def test_watching_prints_what_another_process_changes(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from kctl.cli import following

    def scale() -> None:
        from kctl.cli.main import run

        assert run(["scale", "deploy/web", "--replicas=4"]) == 0

    real = following.follow
    monkeypatch.setattr(
        following, "follow", lambda plane, followed, show: real(plane, followed, show, wait=Interrupted(scale))
    )
    ran = web("get", "pods", "-w", "-l", "app=web")
    lines = ran.out.splitlines()
    assert len(lines[:4]) == 4
    new = [line for line in lines[4:] if line.startswith("web-")]
    assert new[0].split()[1:3] == ["0/1", "ContainerCreating"]
    assert new[-1].split()[1:3] == ["1/1", "Running"]
    assert new[-1].index("1/1") == lines[1].index("1/1")


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        (("deploy", "--watch-only", "-o", "name"), "deployment.apps/web\n"),
        (("deploy", "web", "--watch-only", "--output-watch-events"), "MODIFIED   web    "),
        (("deploy", "other", "--watch-only"), None),
        (("cm", "--watch-only"), ""),
    ],
)
def test_watching_shows_only_what_was_asked_for(
    web: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], wanted: str | None
) -> None:
    from kctl.cli import following
    from kctl.cli.main import run

    real = following.follow
    act = Interrupted(lambda: run(["label", "deploy", "web", "a=b", "-o", "name"]))
    monkeypatch.setattr(following, "follow", lambda plane, followed, show: real(plane, followed, show, wait=act))
    ran = web("get", *args, code=None)
    said = ran.out.split("deployment.apps/web\n", 1)[-1] if "name" not in args else ran.out
    if wanted is None:
        assert ran.code == 1
    else:
        assert said.startswith(wanted)
        assert bool(said) == bool(wanted)


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ((), "Scaled up replica set"),
        (("--for", "deploy/web", "-o", "json"), "Scaled up replica set"),
        (("--for", "deploy/other"), ""),
        (("--types", "Warning"), ""),
    ],
)
def test_watching_events_goes_on_with_those_that_come(
    web: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], wanted: str
) -> None:
    from kctl.cli import following
    from kctl.cli.main import run

    before = web("events", *args, code=None).out
    real = following.follow
    act = Interrupted(lambda: run(["scale", "deploy/web", "--replicas=4", "-o", "name"]))
    monkeypatch.setattr(following, "follow", lambda plane, followed, show: real(plane, followed, show, wait=act))
    ran = web("events", "-w", *args)
    new = ran.out.removeprefix(before).replace("deployment.apps/web scaled\n", "")
    assert ran.err == ""
    assert (wanted in new) if wanted else "Scaled" not in new


def test_what_kctl_notes_about_its_sets_is_no_difference(kctl: Any) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {colour: %s}\n"
    kctl.write("c.yaml", config % "red")
    kctl("apply", "-f", "c.yaml")
    first = revision(kctl)
    kctl.write("c.yaml", config % "blue")
    kctl("apply", "-f", "c.yaml")
    assert (
        kctl("diff", f"{first}..{revision(kctl)}", code=1).out
        == "configmap/c changed\n    ~ data.colour: red -> blue\n"
    )
