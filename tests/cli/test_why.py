"""kctl why and status: every node, what would help, who wrote what, what is at the bottom."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Kctl

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
SHAPE = """
apiVersion: kctl.dev/v1
kind: Cluster
metadata: {name: c}
spec: {nodes: %d, nodeType: "2cpu,4Gi"}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: 'nginx:1', resources: {requests: {cpu: '3'}}}]
"""


def stuck(kctl: Kctl, nodes: int = 2) -> Kctl:
    kctl.write("kctl.yaml", SHAPE % nodes)
    kctl.write("web.yaml", WEB)
    kctl("apply", "-f", "web.yaml", code=3)
    return kctl


def test_the_first_fix_applied_as_it_is_printed_places_the_pods(kctl: Kctl) -> None:
    stuck(kctl)
    [told] = kctl("why", "deploy/web", "-o", "json").json()["scheduling"]
    assert sorted(told["nodes"]) == ["node-1", "node-2"]
    [step] = told["remedies"][0]["apply"]
    assert (step["resource"], step["name"]) == ("deployments.apps", "web")
    kctl("patch", f"{step['resource']}/{step['name']}", "--type", "json", "-p", json.dumps(step["patch"]))
    kctl("converge")
    kctl("status")


def test_wide_has_the_commands_that_make_the_changes(kctl: Kctl) -> None:
    stuck(kctl)
    lines = [line.strip() for line in kctl("why", "deploy/web", "-o", "wide").out.splitlines()]
    command = next(line for line in lines if line.startswith("kctl patch deployments.apps/web"))
    kctl(*shlex.split(command)[1:])
    kctl("converge")
    created = next(line for line in lines if line.endswith("| kctl create -f -"))
    kctl("create", "-f", "-", stdin=shlex.split(created)[1])


def test_a_machine_that_would_help_can_be_created(kctl: Kctl) -> None:
    kctl.write("kctl.yaml", SHAPE % 1)
    kctl.write("web.yaml", WEB.replace("'3'", "'2'"))
    kctl("apply", "-f", "web.yaml", code=3)
    [told] = kctl("why", "deploy/web", "-o", "json").json()["scheduling"]
    [machine] = [r["apply"][0]["create"] for r in told["remedies"] if r["text"].startswith("fits with one more node")]
    kctl("create", "-f", "-", stdin=json.dumps(machine))
    kctl("converge")
    assert "node-1-more" in kctl("get", "pods", "-o", "wide").out


def test_many_nodes_share_a_row_and_all_are_named(kctl: Kctl) -> None:
    stuck(kctl, nodes=30)
    out = kctl("why", "deploy/web").out
    assert "node-[1-30]  Insufficient cpu (short 1)" in out
    wide = kctl("why", "deploy/web", "-o", "wide").out
    assert all(f"node-{n} " in wide for n in range(1, 31))


def test_the_report_says_what_is_short_and_what_would_help(kctl: Kctl) -> None:
    stuck(kctl)
    for command in ("status", "converge"):
        out = kctl(command, code=3).out
        assert "2 Insufficient cpu (short 1); 2 nodes pass with 1 less cpu requested (container c: 3 -> 2)" in out
    [entry] = kctl("status", "-o", "json", code=3).json()["blockers"]
    assert entry["chain"][0] == "deployment.apps/web"


def test_a_pod_that_runs_says_why_there(kctl: Kctl) -> None:
    kctl.write("web.yaml", WEB.replace("'3'", "'1'"))
    kctl("apply", "-f", "web.yaml")
    name = kctl("get", "pods", "-o", "name").out.split()[0]
    out = kctl("why", name).out
    assert ": goes to node-" in out
    assert "NodeResourcesFit" in out
    kctl("cordon", kctl.get(name)["spec"]["nodeName"])
    assert kctl("why", name).out.partition("goes to")[2] == out.partition("goes to")[2]


def test_history_tells_who_changed_which_field_because_of_what(kctl: Kctl) -> None:
    kctl.write("web.yaml", WEB.replace("'3'", "'1'"))
    kctl("apply", "-f", "web.yaml")
    kctl("scale", "deploy/web", "--replicas=3")
    assert "~ spec.replicas: 2 -> 3" in kctl("why", "deploy/web").out
    [rs] = kctl("get", "rs", "-o", "name").out.split()
    assert ", because of deployment.apps/web at revision" in kctl("why", rs).out


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_the_secret_that_bank_of_anthos_does_not_bring_is_the_blocker(kctl: Kctl) -> None:
    ran = kctl("apply", "-f", str(CORPUS / "bank-of-anthos"), code=3)
    assert "secret/jwt-key blocks 6 pods of 6 owners" in ran.out
    assert 'Secret "jwt-key" is neither in the cluster nor in these files [missing-secret]' in ran.out
    why = kctl("why", "deploy/frontend").out
    assert "goes on if there is a Secret jwt-key with the key jwtRS256.key.pub" in why
    blockers = kctl("status", "-o", "json", code=3).json()["blockers"]
    assert {entry["leaf"]["object"] for entry in blockers} == {"secret/jwt-key"}


def test_lints_are_warnings_and_data_of_apply_plan_and_diff(kctl: Kctl) -> None:
    kctl.write("web.yaml", WEB.replace("'3'", "'1'") + "      serviceAccountName: robot\n")
    codes = [
        [lint["code"] for lint in kctl(*args, "-f", "web.yaml", "-o", "json", code=None).json()["lints"]]
        for args in (("diff",), ("plan",), ("apply", "--dry-run"), ("apply",))
    ]
    assert codes == [["missing-serviceaccount"]] * 4
    assert "web.yaml:12: deployment.apps/web: ServiceAccount" in kctl("diff", "-f", "web.yaml", code=None).err
