"""``wait`` in virtual time, and the JSONPath expressions it takes."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.errors import UsageError
from kctl.cli import jsonpath, wait

OBJECT = {
    "metadata": {"name": "web", "labels": {"a.b": "dotted"}, "generation": 2},
    "spec": {"replicas": 3, "paused": True, "containers": [{"image": "x", "n": 1}, {"image": "y", "n": 2}]},
    "status": {
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Old", "status": "True", "observedGeneration": 1}],
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("{.spec.replicas}", [3]),
        (".spec.replicas", [3]),
        ("spec.replicas", [3]),
        ("{$.spec.replicas}", [3]),
        ("{.spec.containers[*].image}", ["x", "y"]),
        ("{.spec.containers[0].image}", ["x"]),
        ("{.spec.containers[-1:].image}", ["y"]),
        ("{.spec.containers[0,1].image}", ["x", "y"]),
        ("{.spec.containers[5].image}", []),
        ("{..image}", ["x", "y"]),
        ("{.metadata.labels.a\\.b}", ["dotted"]),
        ("{.metadata.labels['a.b']}", ["dotted"]),
        ('{.status.conditions[?(@.type=="Ready")].status}', ["True"]),
        ("{.status.conditions[?(@.type!='Ready')].type}", ["Old"]),
        ("{.spec.containers[?(@.n>1)].image}", ["y"]),
        ("{.status.conditions[?(@.observedGeneration)].type}", ["Old"]),
        ("{.nothing.here}", []),
        ("{.}", [OBJECT]),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.compile_path(path)(OBJECT) == found


@pytest.mark.parametrize("path", ["{.a", "", "{}", "{.a[}", "{.a[x]}", "{.a[?(b)]}", "{.a[?(@.b==c)]}"])
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(UsageError):
        jsonpath.compile_path(path)


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("condition=Ready", True),
        ("condition=ready=TRUE", True),
        ("condition=Ready=False", False),
        ("condition=Old", False),
        ("condition=None", False),
        ("create", True),
        ("jsonpath={.spec.replicas}=3", True),
        ("jsonpath={.spec.replicas}=4", False),
        ("jsonpath={.spec.paused}=true", True),
        ("jsonpath='{.spec.paused}'".replace("'", ""), True),
        ("jsonpath={.spec.none}", False),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
    ],
)
def test_conditions(wanted: str, met: bool) -> None:
    assert wait.parse(wanted)(OBJECT) is met


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("x", 'unrecognized condition: "x"'),
        ("jsonpath=", "jsonpath expression cannot be empty"),
        ("jsonpath={.a}=", "jsonpath wait has to have a value after equal sign"),
        ("jsonpath={.a}=b=c", "jsonpath wait format must be"),
    ],
)
def test_malformed_conditions_are_refused(wanted: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        wait.parse(wanted)
    assert text in str(caught.value)


def test_waiting_lets_the_cluster_work(web: Any) -> None:
    web("scale", "deploy/web", "--replicas=5", "--no-wait")
    once = web("wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=5", "--timeout=0s", code=1)
    assert once.err == "error: condition not met for deployments/web\n"
    ran = web("wait", "deploy/web", "--for=jsonpath={.status.readyReplicas}=5")
    assert ran.out == "deployment.apps/web condition met\n"
    assert web("wait", "pods", "-l", "app=web", "--for=condition=Ready").out.count("condition met\n") == 5


def test_a_state_that_passes_is_seen(web: Any) -> None:
    web("scale", "deploy/web", "--replicas=5", "--no-wait")
    ran = web("wait", "deploy/web", "--for=jsonpath={.status.unavailableReplicas}=2", "-o", "name")
    assert ran.out == "deployment.apps/web\n"


def test_waiting_for_an_end(web: Any) -> None:
    name = web.get("pods")["items"][0]["metadata"]["name"]
    web("delete", "pod", name, "--no-wait")
    assert web("wait", f"pod/{name}", "--for=delete", "--timeout=60s").out == f"pod/{name} condition met\n"
    assert web("wait", f"pod/{name}", "--for=delete").out == ""


def test_what_does_not_happen_is_an_error_after_that_much_virtual_time(web: Any) -> None:
    before = web("converge", "-o", "json").json()
    ran = web("wait", "deploy/web", "--for=condition=Never", "--timeout=10m", code=1)
    assert ran.err == "error: timed out waiting for the condition on deployments/web\n"
    assert before["verdict"] == "Converged"
    missing = web("wait", "pod/none", "--for=condition=Ready", code=1)
    assert missing.err == 'Error from server (NotFound): pods "none" not found\n'
    assert web("wait", "sts", "--all", "--for=condition=x", code=1).err == "error: no matching resources found\n"
