from __future__ import annotations

from typing import Any

import pytest

from kctl.scheduler.requests import DEFAULT_CPU, DEFAULT_MEMORY, pod_requests

MI = 1024 * 1024


def container(name: str = "c", cpu: str | None = None, memory: str | None = None, **more: Any) -> dict[str, Any]:
    requests = {k: v for k, v in {"cpu": cpu, "memory": memory, **more.pop("extra", {})}.items() if v is not None}
    return {"name": name, "resources": {"requests": requests}, **more}


def spec(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"containers": list(containers), **more}}


ALWAYS = {"restartPolicy": "Always"}
CASES = [
    pytest.param(spec(container(cpu="100m"), container("d", cpu="250m")), 350, 0, id="containers add up"),
    pytest.param(spec(container(cpu="1m", memory="1.5")), 1, 2, id="fractions round up"),
    pytest.param(
        spec(container(cpu="1"), initContainers=[container("i", cpu="3"), container("j", cpu="2")]),
        3000,
        0,
        id="init containers run one after another and only raise the pod to the largest",
    ),
    pytest.param(
        spec(container(cpu="1"), initContainers=[container("s", cpu="500m", **ALWAYS)]),
        1500,
        0,
        id="a sidecar adds to the pod",
    ),
    pytest.param(
        spec(container(cpu="1"), initContainers=[container("s", cpu="500m", **ALWAYS), container("i", cpu="2")]),
        2500,
        0,
        id="an init container runs beside the sidecars before it",
    ),
    pytest.param(
        spec(container(cpu="1"), initContainers=[container("i", cpu="2"), container("s", cpu="500m", **ALWAYS)]),
        2000,
        0,
        id="an init container does not run beside the sidecars after it",
    ),
    pytest.param(
        spec(container(cpu="1"), overhead={"cpu": "250m", "memory": "1Mi"}), 1250, MI, id="overhead comes on top"
    ),
    pytest.param(
        {
            **spec(container(cpu="1"), resources={"requests": {"cpu": "3"}}),
            "status": {"resources": {"requests": {"cpu": "5"}}, "allocatedResources": {"cpu": "4"}},
        },
        5000,
        0,
        id="a pod that is being made smaller as a whole counts with what it still has",
    ),
    pytest.param(
        {
            **spec(container(cpu="1"), resources={"requests": {"cpu": "9"}}),
            "status": {
                "resources": {"requests": {"cpu": "2"}},
                "allocatedResources": {"cpu": "3"},
                "conditions": [{"type": "PodResizePending", "reason": "Infeasible"}],
            },
        },
        3000,
        0,
        id="a resize of the pod that the kubelet refused does not count",
    ),
    pytest.param(
        {
            **spec(container(cpu="1"), resources={"requests": {"memory": "1Mi"}}),
            "status": {"resources": {"requests": {"cpu": "5", "memory": "2Mi"}}},
        },
        5000,
        2 * MI,
        id="what a whole pod holds counts beside what it asks for",
    ),
    pytest.param(
        spec(container(cpu="1"), resources={"requests": {"cpu": "3"}}, overhead={"cpu": "1"}),
        4000,
        0,
        id="pod-level requests replace the sum, overhead still comes on top",
    ),
]


@pytest.mark.parametrize(("pod", "cpu", "memory"), CASES)
def test_requests_add_up(pod: dict[str, Any], cpu: int, memory: int) -> None:
    asked = pod_requests(pod)
    assert (asked.cpu, asked.memory) == (cpu, memory)


def test_every_container_without_cpu_counts_with_the_default_when_scored() -> None:
    asked = pod_requests(spec(container(memory="1Mi"), container("d", cpu="0")))
    assert (asked.cpu, asked.nonzero_cpu) == (0, DEFAULT_CPU)  # an explicit 0 stays 0
    assert asked.nonzero_memory == MI + DEFAULT_MEMORY


def test_the_fit_score_does_not_look_at_pod_level_resources() -> None:
    asked = pod_requests(spec(container(cpu="100m"), resources={"requests": {"cpu": "2"}}))
    assert (asked.cpu, asked.nonzero_cpu, asked.scored_cpu) == (2000, 2000, 100)


def test_extended_resources_are_scalars() -> None:
    asked = pod_requests(spec(container(extra={"example.com/gpu": "2", "hugepages-2Mi": "4Mi"})))
    assert asked.scalar == {"example.com/gpu": 2, "hugepages-2Mi": 4 * MI}


@pytest.mark.parametrize(
    ("conditions", "cpu"),
    [([], 3000), ([{"type": "PodResizePending", "reason": "Infeasible"}], 2000)],
    ids=["the larger of wish and reality counts", "a refused wish does not"],
)
def test_a_resize_in_place_counts_what_the_kubelet_reports(conditions: list[dict[str, str]], cpu: int) -> None:
    pod = spec(container(cpu="3"))
    reported = {"name": "c", "resources": {"requests": {"cpu": "1"}}, "allocatedResources": {"cpu": "2"}}
    pod["status"] = {"containerStatuses": [reported], "conditions": conditions}
    assert pod_requests(pod).cpu == cpu
