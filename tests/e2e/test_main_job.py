"""The main job: a directory of manifests in, a converged cluster out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example/web:1
          resources:
            requests: {cpu: %s}
"""


def pods(kctl: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = kctl("get", "pods", "-A", "-o", "json").json()["items"]
    return items


def assert_all_run(kctl: Any) -> None:
    for deployment in kctl("get", "deployments", "-A", "-o", "json").json()["items"]:
        conditions = {c["type"]: c["status"] for c in deployment["status"]["conditions"]}
        assert conditions["Available"] == "True", deployment["metadata"]["name"]
    found = pods(kctl)
    assert found
    nodes = {node["metadata"]["name"] for node in kctl("get", "nodes", "-o", "json").json()["items"]}
    for pod in found:
        assert pod["status"]["phase"] == "Running", pod["metadata"]["name"]
        assert pod["spec"]["nodeName"] in nodes


def test_microservices_demo_converges_and_its_frontend_has_an_address(kctl: Any, corpus: Path) -> None:
    ran = kctl("apply", "-f", str(corpus / "microservices-demo"))
    assert ran.out.splitlines()[-1].startswith("Converged after ")
    assert_all_run(kctl)
    service = kctl("get", "service", "frontend-external", "-o", "json").json()
    assert service["status"]["loadBalancer"]["ingress"][0]["ip"]
    kctl.fixed_point()


def test_voting_app_converges_and_keeps_its_node_ports(kctl: Any, corpus: Path) -> None:
    report = kctl("apply", "-f", str(corpus / "voting-app"), "-o", "json").json()
    assert report["verdict"] == "Converged"
    assert_all_run(kctl)
    services = kctl("get", "services", "-o", "json").json()["items"]
    ports = {s["metadata"]["name"]: s["spec"]["ports"][0].get("nodePort") for s in services}
    assert (ports["vote"], ports["result"]) == (31000, 31001)
    kctl.fixed_point()


def test_applying_again_changes_nothing_not_even_the_revision(kctl: Any, samples: Path) -> None:
    first = kctl("apply", "-f", str(samples / "web-shop"), "-o", "json").json()
    again = kctl("apply", "-f", str(samples / "web-shop"), "-o", "json").json()
    assert {entry["change"] for entry in first["intent"]} == {"created"}
    assert {entry["change"] for entry in again["intent"]} == {"unchanged"}
    assert again["revision"] == first["revision"]
    assert again["consequence"] == []
    kctl.fixed_point()


def test_a_deleted_pod_is_replaced(kctl: Any) -> None:
    kctl.write("web.yaml", WEB % "100m")
    kctl("apply", "-f", ".")
    before = {pod["metadata"]["name"] for pod in pods(kctl)}
    gone = min(before)
    kctl("delete", "pod", gone)
    kctl("converge")
    after = {pod["metadata"]["name"] for pod in pods(kctl)}
    assert gone not in after
    assert len(after) == len(before)
    assert_all_run(kctl)
    kctl.fixed_point()


def test_an_edited_image_shows_in_diff_and_rolls_out(kctl: Any) -> None:
    manifest = kctl.write("web.yaml", WEB % "100m")
    kctl("apply", "-f", "web.yaml")
    assert kctl("diff", "-f", "web.yaml").out == ""
    manifest.write_text((WEB % "100m").replace("web:1", "web:2"), encoding="utf-8")
    shown = kctl("diff", "-f", "web.yaml", code=1).out
    assert "-      - image: example/web:1" in shown or "-        image: example/web:1" in shown
    report = kctl("apply", "-f", "web.yaml", "-o", "json").json()
    assert [field["path"] for field in report["intent"][0]["fields"]] == [
        "spec.template.spec.containers[name=web].image"
    ]
    assert {c["image"] for pod in pods(kctl) for c in pod["spec"]["containers"]} == {"example/web:2"}
    [record] = [record for record in report["consequence"] if record["type"] == "pods"]
    assert (sum(record["created"].values()), sum(record["deleted"].values())) == (2, 2)
    assert record["peak"] == 3
    assert record["minAvailable"] == 2
    kctl.fixed_point()


def test_what_does_not_fit_settles_and_every_view_says_why(kctl: Any) -> None:
    kctl.write("web.yaml", WEB % '"100"')
    report = kctl("apply", "-f", "web.yaml", "-o", "json", code=3).json()
    assert report["verdict"] == "Settled"
    message = (
        "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    [entry] = report["residual"]
    assert (entry["owner"], entry["message"], entry["count"]) == ("deployment.apps/web", message, 2)
    for args, code in ((("why", "deploy/web"), 0), (("status",), 3)):
        text = kctl(*args, code=code).out
        assert message in text
        for node in ("node-1", "node-2", "node-3"):
            assert any(line.startswith(node) and "Insufficient cpu" in line for line in text.splitlines())
    kctl.fixed_point()


def test_a_failed_apply_leaves_a_running_cluster_as_it_was(kctl: Any) -> None:
    kctl.write("web.yaml", WEB % "100m")
    kctl("apply", "-f", "web.yaml")
    before = kctl.revision()
    kctl.write("web.yaml", (WEB % "100m").replace("replicas: 2", "replicas: -1"))
    kctl("apply", "-f", "web.yaml", code=1)
    assert kctl.revision() == before
    kctl.fixed_point()


def test_the_order_of_files_does_not_change_a_byte(kctl: Any, another: Callable[[], Any], samples: Path) -> None:
    other = another()
    files = sorted((samples / "web-shop").glob("*.yaml"))
    for file in files:
        kctl.write(f"m/{file.name}", file.read_text(encoding="utf-8"))
    for file in reversed(files):
        other.write(f"m/{file.name}", file.read_text(encoding="utf-8"))
    named = [f"m/{file.name}" for file in reversed(files)]
    one = kctl("apply", "-f", "m", "-o", "json").out
    two = other("apply", *(word for name in named for word in ("-f", name)), "-o", "json").out
    assert one == two
    assert kctl("get", "all", "-A", "-o", "yaml").out == other("get", "all", "-A", "-o", "yaml").out


def test_the_names_of_files_do_not_change_what_the_cluster_becomes(
    kctl: Any, another: Callable[[], Any], samples: Path
) -> None:
    other = another()
    files = sorted((samples / "web-shop").glob("*.yaml"))
    for n, file in enumerate(files):
        kctl.write(f"m/{n:02}.yaml", file.read_text(encoding="utf-8"))
        for m, document in enumerate(reversed(file.read_text(encoding="utf-8").split("\n---\n"))):
            other.write(f"m/{len(files) - n:02}-{m}.yaml", document)
    reports = [run("apply", "-f", "m", "-o", "json").json() for run in (kctl, other)]
    assert [report["consequence"] for report in reports] == [reports[0]["consequence"]] * 2
    listings = [run("get", "all", "-A", "-o", "yaml").out for run in (kctl, other)]
    assert listings[0] == listings[1]


SAMPLES = {
    "database": (".",),
    "git-repository": ("deploy",),
    "gpus": (".",),
    "stuck-rollout": ("v1", "v2"),
    "too-small": (".",),
    "two-schedulers": (".",),
    "web-shop": (".",),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_prints_what_it_says(kctl: Any, samples: Path, sample: str, pytestconfig: pytest.Config) -> None:
    shutil.copytree(samples / sample, kctl.folder, dirs_exist_ok=True)
    expected = samples / sample / "expected.txt"
    said = "".join(kctl("apply", "-f", path, code=None).out for path in SAMPLES[sample])
    if pytestconfig.getoption("--rewrite"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")
    kctl.fixed_point()
