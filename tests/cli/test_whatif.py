"""What-ifs on the command line: scenarios, one-liners, expectations, their outputs and exit codes."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example/web:v1"}]}
"""
SCENARIO = """
apiVersion: sim.kctl.dev/v1
kind: Scenario
metadata: {name: loss}
events:
- {at: 30s, node: node-2, do: die}
expect:
- min(available(deploy/web)) >= 2
- converged within 10m
"""


@pytest.fixture
def web(kctl: Any) -> Any:
    """A directory with a Deployment, and a scenario beside it."""
    kctl.write("k8s/web.yaml", WEB)
    kctl.write("k8s/loss.yaml", SCENARIO)
    return kctl


def test_a_scenario_in_the_directory_is_no_manifest(web: Any) -> None:
    assert [entry["object"] for entry in web("plan", "-f", "k8s", "-o", "json").json()["intent"]] == [
        "deployment.apps/web"
    ]


def test_expectations_are_judged_and_one_that_does_not_hold_is_exit_1(web: Any) -> None:
    out = web("plan", "-f", "k8s", "--scenario", "k8s/loss.yaml", "--no-diff", code=1).out
    assert "holds: min(available(deploy/web)) >= 2\n" in out
    assert "FAILED: converged within 10m (converged was false, seconds was" in out
    assert "+30s node/node-2 dies" in out


def test_expectations_that_hold_are_exit_0_although_the_cluster_only_settles(web: Any) -> None:
    web("plan", "-f", "k8s", "--what-if", "node:node-2=die@5s", code=3)
    out = web("plan", "-f", "k8s", "--what-if", "node:node-2=die@5s", "--expect", "settled", code=0).out
    assert "holds: settled" in out


def test_the_same_plan_is_the_same_bytes(web: Any) -> None:
    words = ("plan", "-f", "k8s", "--scenario", "k8s/loss.yaml", "--timeline")
    assert web(*words, code=1).out == web(*words, code=1).out


def test_nothing_of_a_what_if_reaches_the_cluster(web: Any) -> None:
    web("apply", "-f", "k8s")
    before = web("log").out
    told = web("plan", "--what-if", "node:node-1=drain", "--what-if", "scale:deploy/web=7", "-o", "json").json()
    assert told["intent"] == []
    assert [entry["what"] for entry in told["scenario"]["events"]] == ["node/node-1 drained", "deploy/web scaled to 7"]
    assert web("log").out == before
    assert web("get", "scenarios").out == ""
    assert "SchedulingDisabled" not in web("get", "nodes").out


def test_junit_is_what_ci_reads(web: Any) -> None:
    words = ("plan", "-f", "k8s", "--expect", "available(deploy/web) == 4", "--expect", "pods(deploy/web) < 2")
    printed = web(*words, "-o", "junit", "--junit", "out.xml", code=1).out
    assert (web.folder / "out.xml").read_text() == printed
    suites = ET.fromstring(printed)
    (suite,) = suites
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    good, bad = suite
    assert (good.get("name"), len(good)) == ("available(deploy/web) == 4", 0)
    assert bad[0].get("message") == "pods(deploy/web) was 4"


def test_junit_without_expectations_tells_the_verdict(web: Any) -> None:
    (suite,) = ET.fromstring(web("plan", "-f", "k8s", "-o", "junit").out)
    assert [(case.get("name"), len(case)) for case in suite] == [("converged", 0)]


def test_a_report_with_a_scenario_is_valid_by_its_schema(web: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from importlib.resources import files

    schema = json.loads((files("kctl.plan") / "report.schema.json").read_text())
    jsonschema.validate(web("plan", "-f", "k8s", "--scenario", "k8s/loss.yaml", "-o", "json", code=1).json(), schema)


def test_the_markdown_has_the_expectations(web: Any) -> None:
    out = web("plan", "-f", "k8s", "--expect", "converged", "-o", "markdown").out
    assert "### Expectations\n\n- holds: converged\n" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--what-if", "node:n2=die"), "n2: there is no such node; there are node-1, node-2, node-3"),
        (("--what-if", "zone:x=die"), "x: there is no node in such a zone; there are local-a, local-b, local-c"),
        (("--what-if", "scale:nosuch/web=1"), 'nosuch/web: nosuch/web: there is no kind "nosuch"'),
        (("--what-if", "bogus"), "--what-if 'bogus': must begin with one of start:, node:"),
        (("--what-if", "node:node-1=fly"), "--what-if 'node:node-1=fly': a node can die"),
        (("--expect", "1 +"), "--expect '1 +': something is missing"),
        (("--expect", "available(nosuch/web) == 1"), 'nosuch/web: there is no kind "nosuch"'),
        ((), "give manifests with -f PATH, two commits as A..B, or a --what-if"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(kctl: Any, words: tuple[str, ...], said: str) -> None:
    assert said in kctl("plan", *words, code=2).err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("do: die", "do: fly"), "bad.yaml:6: Scenario: events[0].do: Invalid value"),
        (("node-2", "node-9"), "bad.yaml:6: Scenario: events[0]: Invalid value"),
        (("converged within 10m", "converged in 10m"), "bad.yaml:9: Scenario: expect[1]: Invalid value"),
        (("kind: Scenario", "kind: Cluster"), "want kind Scenario of sim.kctl.dev/v1 here"),
    ],
)
def test_mistakes_in_a_file_are_told_with_file_line_and_field(kctl: Any, change: tuple[str, str], said: str) -> None:
    kctl.write("bad.yaml", SCENARIO.replace(*change))
    assert said in kctl("plan", "--scenario", "bad.yaml", code=1).err


def test_an_expectation_about_what_there_never_was_fails_and_says_so(kctl: Any) -> None:
    out = kctl("plan", "--expect", "available(deploy/wob) == 0", code=1).out
    assert "FAILED: available(deploy/wob) == 0 (there never was a deploy/wob)" in out


def test_the_control_loops_are_listed_with_what_they_did(web: Any) -> None:
    web("apply", "-f", "k8s/web.yaml")
    rows = {row["name"]: row for row in web("controllers", "-o", "json").json()["items"]}
    assert rows["deployment-controller"]["syncs"] > 0
    assert rows["replicaset-controller"]["writes"] >= 5
    assert rows["kube-scheduler"]["syncs"] == 4
    assert rows["cronjob-controller"]["syncs"] == 0
    assert all(row["enabled"] for row in rows.values())
    assert "pods" in rows["replicaset-controller"]["kinds"]
    assert web("controllers").out.startswith("NAME ")
    assert "deployment-controller" in web("controllers", "-o", "name").out.splitlines()


def test_a_loop_that_kctl_yaml_switches_off_does_not_run_and_is_listed_as_such(web: Any) -> None:
    web.write(
        "kctl.yaml", 'apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {controllers: ["*", "-deployment-controller"]}\n'
    )
    web("apply", "-f", "k8s/web.yaml", code=None)
    assert web("get", "rs").out == ""
    rows = {row["name"]: row for row in web("controllers", "-o", "json").json()["items"]}
    assert not rows["deployment-controller"]["enabled"]
    web.write("kctl.yaml", 'apiVersion: kctl.dev/v1\nkind: Cluster\nspec: {controllers: ["-nosuch"]}\n')
    assert (
        'kctl.yaml:3: Cluster: spec.controllers[0]: Unsupported value: "-nosuch"'
        in web("nodes", code=0).err + web("converge", code=1).err
    )


def test_nodes_are_listed_with_their_fill(kctl: Any) -> None:
    kctl.write(
        "web.yaml", WEB.replace('"example/web:v1"', '"example/web:v1", resources: {requests: {cpu: "1", memory: 1Gi}}')
    )
    kctl("apply", "-f", "web.yaml")
    kctl("taint", "node", "node-3", "a=b:NoSchedule")
    first, *rows = kctl("nodes").out.splitlines()
    assert first.split() == ["NAME", "STATUS", "ZONE", "PODS", "CPU", "MEMORY", "TAINTS"]
    assert rows[0].split()[:6] == ["node-1", "Ready", "local-a", "2/110", "2/4", "(50%)"]
    assert rows[2].split()[-1] == "a=b:NoSchedule"
    (one, *_) = kctl("nodes", "-o", "json").json()["items"]
    assert (one["requests"], one["fill"]["cpu"], one["pods"]) == ({"cpu": "2", "memory": "2Gi"}, 50, 2)
    assert "CPU LIMITS" in kctl("nodes", "-o", "wide").out


def test_the_order_of_files_changes_no_byte_of_a_what_if(kctl: Any) -> None:
    names = ("b", "c", "a")
    for name in names:
        kctl.write(f"{name}.yaml", WEB.replace("web", name))
    words = ["--what-if", "zone:b=die@10s", "--what-if", "image:b:v1=fail", "--timeline", "--no-diff"]
    orders = [[word for name in order for word in ("-f", f"{name}.yaml")] for order in (names, sorted(names))]
    first, second = (kctl("plan", *order, *words, code=3).out for order in orders)
    assert first == second


def test_what_no_scenario_asks_for_is_not_loaded(web: Any) -> None:
    import subprocess
    import sys

    code = "import sys; from kctl.cli.main import run; run(['apply', '-f', 'k8s/web.yaml']); "
    code += "print([name for name in sys.modules if 'kctl.api.scenario' in name or name == 'kctl.plan.witness'])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=web.folder, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_scenario_that_is_applied_happens_and_stays(web: Any) -> None:
    web.write("bad.yaml", SCENARIO.replace("expect:", "images: [{match: example/web, pull: fail}]\nexpect:"))
    web("apply", "-f", "k8s", "--scenario", "bad.yaml", code=1)
    assert "loss" in web("get", "scenarios").out
    web("scale", "deploy/web", "--replicas", "5", code=None)
    assert "ImagePullBackOff" in web("status", code=3).out
    web("delete", "scenario", "loss", code=None)
    web("annotate", "node", "node-2", "sim.kctl.dev/state-")
    web("advance", "10m", code=None)
    assert "ImagePullBackOff" not in web("status", code=None).out


def test_expectations_alone_are_about_the_rollout_and_change_nothing_of_the_plan(web: Any) -> None:
    web("apply", "-f", "k8s/web.yaml")
    web.write("k8s/web.yaml", WEB.replace("web:v1", "web:v2"))
    plain = web("plan", "-f", "k8s", "-o", "json").json()
    told = web("plan", "-f", "k8s", "--expect", "min(available(deploy/web)) == 3", "-o", "json").json()
    assert "scenario" not in told
    assert [entry["holds"] for entry in told.pop("expectations")] == [True]
    assert told == plain


def test_a_what_if_begins_with_the_apply_when_it_is_to(web: Any) -> None:
    web("apply", "-f", "k8s/web.yaml")
    web.write("k8s/web.yaml", WEB.replace("web:v1", "web:v2"))
    for words, begins in ((("--what-if", "start:apply"), 0), ((), 7)):
        told = web("plan", "-f", "k8s", "--what-if", "scale:deploy/web=6@1s", *words, "-o", "json").json()
        assert told["scenario"]["virtualSeconds"] == begins


def test_where_nothing_happens_at_a_time_expectations_are_about_the_whole_rollout(web: Any) -> None:
    web("apply", "-f", "k8s/web.yaml")
    web.write("k8s/web.yaml", WEB.replace("web:v1", "web:v2"))
    words = ("--what-if", "image:web:v2=fail", "--expect", "max(pods(deploy/web)) >= 5", "--expect", "seconds > 1m")
    assert web("plan", "-f", "k8s", *words, "-o", "json").json()["scenario"]["virtualSeconds"] == 0


def test_expectations_have_to_hold_with_every_seed(web: Any) -> None:
    words = ("plan", "-f", "k8s", "--what-if", "node:node-2=die", "--seeds", "2", "--expect")
    web(*words, "settled", code=0)
    web(*words, "converged", code=1)


def test_what_ifs_are_about_the_namespace_of_the_command(web: Any) -> None:
    web("init")
    web("create", "ns", "shop")
    web("apply", "-f", "k8s/web.yaml", "-n", "shop")
    what = ("--what-if", "scale:deploy/web=2", "--expect", "available(deploy/web) == 2")
    assert "holds: available(deploy/web) == 2" in web("plan", "-n", "shop", *what).out
