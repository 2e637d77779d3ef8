"""``--seeds N``: what depends on chance, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

Cli = Any

SHAPE = """
apiVersion: kctl.dev/v1
kind: Cluster
spec: {nodes: 2, nodeType: "2cpu,4Gi"}
"""
# The first pod fits both nodes; the second only the second one, and only while the first is not there.
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: a-small}
spec: {containers: [{name: c, image: x, resources: {requests: {cpu: 500m}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b-big}
spec:
  nodeSelector: {kubernetes.io/hostname: node-2}
  containers: [{name: c, image: x, resources: {requests: {cpu: 1900m}}}]
"""


@pytest.fixture
def tied(kctl: Cli) -> Cli:
    kctl.write("kctl.yaml", SHAPE)
    kctl.write("pods.yaml", PODS)
    return kctl


def test_a_pod_that_is_pending_in_some_runs_is_told_with_their_seeds(tied: Cli) -> None:
    chance = tied("plan", "-f", "pods.yaml", "--seeds", "5", "-o", "json", code=3).json()["chance"]
    assert chance["seeds"] == list(range(5))
    unlucky = chance["verdicts"]["Settled"]
    assert 0 not in unlucky
    assert 0 < len(unlucky) < 5
    assert sorted(unlucky + chance["verdicts"]["Converged"]) == chance["seeds"]
    by_name = {found["owner"]: found for found in chance["workloads"]}
    assert by_name["pod/b-big"]["pending"] == [
        {"pods": 0, "seeds": chance["verdicts"]["Converged"]},
        {"pods": 1, "seeds": unlucky},
    ]
    assert by_name["pod/a-small"]["nodes"] == {
        "node-1": {"least": 0, "most": 1},
        "node-2": {"least": 0, "most": 1},
    }
    text = tied("plan", "-f", "pods.yaml", "--seeds", "5", code=3).out
    named = f" (--seed {', '.join(map(str, unlucky))})" if len(unlucky) <= 2 else ""
    assert f"  pod/b-big: pending in {len(unlucky)}{named} of 5 runs" in text.splitlines()
    assert f"Settled in {len(unlucky)}{named} of 5 runs" in text
    assert "  pod/a-small: on node-1, node-2" in text.splitlines()


def test_the_run_of_a_seed_can_be_had_again(tied: Cli) -> None:
    chance = tied("plan", "-f", "pods.yaml", "--seeds", "5", "-o", "json", code=3).json()["chance"]
    for verdict, code in (("Converged", 0), ("Settled", 3)):
        seed = chance["verdicts"][verdict][-1]
        assert (
            tied("--seed", str(seed), "plan", "-f", "pods.yaml", "-o", "json", code=code).json()["verdict"] == verdict
        )


def test_seeds_are_counted_from_the_given_one(tied: Cli) -> None:
    ran = tied("--seed", "40", "plan", "-f", "pods.yaml", "--seeds", "3", "-o", "json", code=None)
    assert ran.json()["chance"]["seeds"] == [40, 41, 42]


def test_nothing_depends_on_chance_where_there_is_no_choice(kctl: Cli) -> None:
    kctl.write("kctl.yaml", SHAPE.replace("nodes: 2", "nodes: 1"))
    kctl.write("pods.yaml", PODS.partition("---")[0])
    assert "Depends on chance\n  nothing: 3 runs ended alike\n" in kctl("plan", "-f", "pods.yaml", "--seeds", "3").out


def test_apply_tries_the_seeds_first_and_then_does_what_it_would_have_done(tied: Cli) -> None:
    ran = tied("apply", "-f", "pods.yaml", "--seeds", "4", "-o", "json").json()
    assert ran["verdict"] == "Converged"
    assert ran["chance"]["seeds"] == [0, 1, 2, 3]
    assert tied.get("pod", "a-small")["spec"]["nodeName"] == "node-1"
    assert Path(".kctl").exists()
    markdown = tied("plan", "-f", "pods.yaml", "--seeds", "2", "-o", "markdown").out
    assert "### Depends on chance\n\n- nothing: 2 runs ended alike\n" in markdown


def test_a_report_with_chance_is_as_its_schema_says(tied: Cli) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(__file__).parents[2] / "kctl" / "plan" / "report.schema.json").read_text())
    jsonschema.validate(tied("plan", "-f", "pods.yaml", "--seeds", "6", "-o", "json", code=None).json(), schema)


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_standard_input_can_be_read_only_once(kctl: Cli, verb: str) -> None:
    assert "give files, not -" in kctl(verb, "-f", "-", "--seeds", "2", stdin=PODS, code=2).err


@pytest.mark.parametrize("seeds", ["0", "-1", "x"])
def test_there_is_at_least_one_seed(kctl: Cli, seeds: str) -> None:
    kctl("plan", "-f", "pods.yaml", "--seeds", seeds, code=2)
