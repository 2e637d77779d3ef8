"""``rollout``: kubectl's words for each state, and revisions as the controller numbers them."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.errors import KctlError
from kctl.cli import pod_template, revisions, rollout_status

IMAGE = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:2"}]}}}}'


def images(kctl: Any) -> set[str]:
    """Return the images that pods have."""
    return {pod["spec"]["containers"][0]["image"] for pod in kctl.get("pods")["items"]}


def deployment(spec: Any = None, generation: int = 1, **status: Any) -> Any:
    """Return a Deployment named web."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "generation": generation},
        "spec": {"replicas": 3, **(spec or {})},
        "status": {"observedGeneration": 1, **status},
    }


@pytest.mark.parametrize(
    ("obj", "text", "done"),
    [
        (deployment(generation=2), "Waiting for deployment spec update to be observed...", False),
        (
            deployment(replicas=3, updatedReplicas=1),
            'Waiting for deployment "web" rollout to finish: 1 out of 3 new replicas have been updated...',
            False,
        ),
        (
            deployment(replicas=4, updatedReplicas=3),
            'Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...',
            False,
        ),
        (
            deployment(replicas=3, updatedReplicas=3, availableReplicas=2),
            'Waiting for deployment "web" rollout to finish: 2 of 3 updated replicas are available...',
            False,
        ),
        (
            deployment(replicas=3, updatedReplicas=3, availableReplicas=3),
            'deployment "web" successfully rolled out',
            True,
        ),
    ],
)
def test_the_state_of_a_deployment_in_words(obj: Any, text: str, done: bool) -> None:
    assert rollout_status.of(obj) == (text, done)


def other(kind: str, spec: Any, **status: Any) -> Any:
    """Return a DaemonSet or StatefulSet named db."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "db", "generation": 1},
        "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", **spec}},
        "status": {"observedGeneration": 1, **status},
    }


@pytest.mark.parametrize(
    ("obj", "text", "done"),
    [
        (
            other("DaemonSet", {}, desiredNumberScheduled=3, updatedNumberScheduled=1),
            'Waiting for daemon set "db" rollout to finish: 1 out of 3 new pods have been updated...',
            False,
        ),
        (
            other("DaemonSet", {}, desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=3),
            'daemon set "db" successfully rolled out',
            True,
        ),
        (other("StatefulSet", {}, readyReplicas=1), "Waiting for 2 pods to be ready...", False),
        (
            other("StatefulSet", {"rollingUpdate": {"partition": 1}}, readyReplicas=3, updatedReplicas=1),
            "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
            False,
        ),
        (
            other("StatefulSet", {"rollingUpdate": {"partition": 0}}, readyReplicas=3, updatedReplicas=3),
            "partitioned roll out complete: 3 new pods have been updated...",
            True,
        ),
        (
            other("StatefulSet", {}, readyReplicas=3, updatedReplicas=1, updateRevision="b", currentRevision="a"),
            "waiting for statefulset rolling update to complete 1 pods at revision b...",
            False,
        ),
        (
            other("StatefulSet", {}, readyReplicas=3, currentReplicas=3, updateRevision="b", currentRevision="b"),
            "statefulset rolling update complete 3 pods at revision b...",
            True,
        ),
    ],
)
def test_the_state_of_other_rollouts_in_words(obj: Any, text: str, done: bool) -> None:
    assert rollout_status.of(obj) == (text, done)


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            deployment(conditions=[{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]),
            'deployment "web" exceeded its progress deadline',
        ),
        (
            {"apiVersion": "apps/v1", "kind": "ReplicaSet"},
            "no status viewer has been implemented for ReplicaSet.apps",
        ),
        (
            {**other("DaemonSet", {}), "spec": {"updateStrategy": {"type": "OnDelete"}}},
            "rollout status is only available for RollingUpdate strategy type",
        ),
    ],
)
def test_what_has_failed_or_has_no_rollout_is_an_error(obj: Any, text: str) -> None:
    with pytest.raises(KctlError) as caught:
        rollout_status.of(obj)
    assert str(caught.value) == text


def test_a_pod_in_trouble_is_named_with_the_wait() -> None:
    pod = {
        "status": {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
            ]
        }
    }
    text = rollout_status.of(deployment(replicas=3, updatedReplicas=1), [pod]).text
    assert text.endswith("have been updated... (Warning: 0/3 nodes)")


def test_status_runs_the_rollout_and_says_each_step(web: Any) -> None:
    web("patch", "deploy/web", "-p", IMAGE, "--no-wait")
    assert "Waiting" in web("rollout", "status", "deploy/web", "--no-watch").out
    lines = web("rollout", "status", "deploy/web").out.splitlines()
    assert lines[0] == "Waiting for deployment spec update to be observed..."
    assert lines[-1] == 'deployment "web" successfully rolled out'
    assert len(lines) == len(set(lines))
    assert images(web) == {"nginx:2"}
    assert web("rollout", "status", "deploy/web").out == 'deployment "web" successfully rolled out\n'


def test_status_of_a_rollout_that_cannot_finish_fails(web: Any) -> None:
    patch = '{"spec":{"template":{"spec":{"nodeSelector":{"disk":"none"}}}}}'
    web("patch", "deploy/web", "-p", patch, "--no-wait")
    ran = web("rollout", "status", "deploy/web", code=1)
    assert ran.err == 'error: deployment "web" exceeded its progress deadline\n'
    web("rollout", "undo", "deploy/web")
    assert web("rollout", "status", "deploy/web").out == 'deployment "web" successfully rolled out\n'


def test_undo_restores_the_template_and_numbers_it_anew(web: Any) -> None:
    web("annotate", "deploy/web", "kubernetes.io/change-cause=first")
    web("patch", "deploy/web", "-p", IMAGE)
    web("annotate", "deploy/web", "kubernetes.io/change-cause=second", "--overwrite")
    assert web("rollout", "history", "deploy/web").out == (
        "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         first\n2         second\n\n"
    )
    assert web("rollout", "undo", "deploy/web").out == "deployment.apps/web rolled back\n"
    assert images(web) == {"nginx:1"}
    found = web.get("deploy", "web")
    assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert found["metadata"]["annotations"]["kubernetes.io/change-cause"] == "first"
    assert "pod-template-hash" not in found["spec"]["template"]["metadata"]["labels"]
    assert "2         second\n3         first\n" in web("rollout", "history", "deploy/web").out
    assert web("rollout", "undo", "deploy/web", "--to-revision=2").out == "deployment.apps/web rolled back\n"
    assert images(web) == {"nginx:2"}


def test_undo_previews_skips_and_refuses(web: Any) -> None:
    none = web("rollout", "undo", "deploy/web", code=1)
    assert none.err == 'error: no rollout history found for deployment "web"\n'
    assert web("rollout", "undo", "deploy/web", "--to-revision=1").out == (
        "deployment.apps/web skipped rollback (current template already matches revision 1)\n"
    )
    missing = web("rollout", "undo", "deploy/web", "--to-revision=7", code=1)
    assert missing.err == "error: unable to find specified revision 7 in history\n"
    web("patch", "deploy/web", "-p", IMAGE)
    preview = web("rollout", "undo", "deploy/web", "--dry-run=client").out
    assert preview.startswith("deployment.apps/web Pod Template:\n  Labels:\tapp=web\n")
    assert preview.endswith(" (dry run)\n")
    assert "\tnginx:1\n" in preview
    assert images(web) == {"nginx:2"}


def test_pause_restart_resume_in_kubectls_words(web: Any) -> None:
    assert web("rollout", "pause", "deploy/web").out == "deployment.apps/web paused\n"
    assert web("rollout", "pause", "deploy/web", code=1).err == 'error: deployments.apps "web" is already paused\n'
    assert web("rollout", "restart", "deploy/web", code=1).err == (
        'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)\n'
    )
    web("patch", "deploy/web", "-p", IMAGE)
    assert images(web) == {"nginx:1"}
    assert web("rollout", "resume", "deploy/web").out == "deployment.apps/web resumed\n"
    assert images(web) == {"nginx:2"}
    assert web("rollout", "resume", "deploy/web", code=1).err == 'error: deployments.apps "web" is not paused\n'


def test_restart_replaces_every_pod(web: Any) -> None:
    before = {pod["metadata"]["name"] for pod in web.get("pods")["items"]}
    assert web("rollout", "restart", "deployments").out == "deployment.apps/web restarted\n"
    after = {pod["metadata"]["name"] for pod in web.get("pods")["items"]}
    assert len(after) == 3
    assert not before & after
    refused = web("rollout", "restart", "svc/kubernetes", code=1)
    assert refused.err == 'error: services "kubernetes" restarting is not supported\n'


def test_the_namespace_before_the_command_reaches_the_verb(web: Any) -> None:
    for args in (
        ("-n", "kube-system", "rollout", "status", "deploy/web"),
        ("rollout", "-n", "kube-system", "status", "deploy/web"),
        ("rollout", "status", "deploy/web", "-n", "kube-system"),
        ("-n", "default", "rollout", "-n", "kube-system", "status", "deploy/web"),
    ):
        ran = web(*args, code=1)
        assert ran.err == 'Error from server (NotFound): deployments.apps "web" not found\n'


def test_history_shows_one_revisions_template(web: Any) -> None:
    shown = web("rollout", "history", "deploy/web", "--revision=1").out
    assert shown.startswith("deployment.apps/web with revision #1\nPod Template:\n  Labels:\tapp=web\n\tpod-template-h")
    assert web("rollout", "history", "deploy/web", "--revision=1", "-o", "json").json()["kind"] == "ReplicaSet"
    missing = web("rollout", "history", "deploy/web", "--revision=5", code=1)
    assert missing.err == "error: unable to find the specified revision\n"


def test_a_controller_revision_is_brought_back_by_its_own_patch() -> None:
    obj = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "uid": "u"},
        "spec": {"template": {"spec": {"a": 2}}},
    }
    held = [
        {
            "metadata": {"name": f"db-{n}", "ownerReferences": [{"uid": "u", "controller": True}]},
            "revision": n,
            "data": {"spec": {"template": {"$patch": "replace", "spec": {"a": n}}}},
        }
        for n in (2, 1)
    ]
    found = revisions.of_controller_revisions(obj, held)
    assert [revision.number for revision in found] == [1, 2]
    chosen = revisions.choose(obj, found, 0)
    assert chosen.number == 1
    assert revisions.is_current(obj, found[1])
    assert revisions.restoring(obj, chosen) == ("strategic", held[1]["data"])
    assert revisions.table(found, "StatefulSet") == "REVISION\n1\n2\n"


def test_a_pod_template_is_told_as_kubectl_tells_it() -> None:
    template = {
        "metadata": {"labels": {"b": "2", "a": "1"}},
        "spec": {
            "serviceAccountName": "robot",
            "containers": [
                {
                    "name": "web",
                    "image": "nginx",
                    "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
                    "args": ["-v"],
                    "resources": {"requests": {"cpu": "1"}},
                    "readinessProbe": {"httpGet": {"path": "/up", "port": 80}},
                    "env": [
                        {"name": "A", "value": "1"},
                        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    ],
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}],
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        },
    }
    assert pod_template.text(template) == (
        "Pod Template:\n  Labels:\ta=1\n\tb=2\n  Service Account:\trobot\n  Containers:\n   web:\n    Image:\tnginx\n"
        "    Ports:\t80/TCP, 53/UDP\n    Host Ports:\t0/TCP, 0/UDP\n    Args:\n      -v\n"
        "    Requests:\n      cpu:\t1\n"
        "    Readiness:\thttp-get http://:80/up delay=0s timeout=1s period=10s #success=1 #failure=3\n"
        "    Environment:\n      A:\t1\n      B:\t<set to the key 'k' of secret 's'>\tOptional: false\n"
        "    Mounts:\n      /data from data (ro)\n  Volumes:\n   data:\n    Type:\tEmptyDir\n    Medium:\tMemory\n"
        "  Node-Selectors:\t<none>\n  Tolerations:\tk:NoExecute op=Exists for 5s\n"
    )
