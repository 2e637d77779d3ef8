"""Scenario manifests: what is read, and every mistake by its field."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Obj
from kctl.api.scenario import oneliners, reading, steps
from kctl.api.scenario.model import Scenario
from kctl.runtime.profile import Profile


def scenario(**fields: Any) -> Obj:
    return {"apiVersion": "sim.kctl.dev/v1", "kind": "Scenario", "metadata": {"name": "s"}, **fields}


def read(**fields: Any) -> Scenario:
    found, errors = reading.read(scenario(**fields))
    assert errors == []
    return found


def wrong(**fields: Any) -> list[str]:
    return [str(error) for error in reading.read(scenario(**fields))[1]]


def test_a_profile_speaks_of_every_latency_there_is() -> None:
    assert set(reading.LATENCIES.values()) == {name for name in Profile._fields if not name.endswith("_most")}


def test_latencies_may_be_ranges_and_a_rate() -> None:
    found = read(profile={"imagePull": "2s..20s", "containerStart": 3, "imagePullRate": "50Mi"})
    assert found.latencies == {
        "image_pull": 2.0,
        "image_pull_most": 20.0,
        "container_start": 3.0,
        "image_pull_rate": float(50 << 20),
    }


def test_everything_a_scenario_can_say_is_read() -> None:
    found = read(
        start="apply",
        duration="20m",
        namespace="shop",
        profile={"imagePull": "3s", "seed": 7},
        images=[{"match": "app:v2", "pull": "fail", "times": 3}, {"match": "*/w:*", "pull": "20s", "size": "900Mi"}],
        workloads=[
            {
                "match": {"kind": "Deployment", "name": "web", "labels": {"a": "b"}, "container": "c"},
                "ready": {"after": "12s"},
                "unhealthy": {"after": "1m"},
                "crash": {"exitCode": 3, "after": "3s", "times": 4},
                "stop": "never",
                "usage": {"cpu": "base 50m + 2m * load / replicas", "memory": "300Mi"},
            },
            {"match": {"kind": "Job", "name": "migrate"}, "run": "40s", "exitCode": 0},
        ],
        events=[
            {"at": "1m", "zone": "b", "do": "die", "for": "10m"},
            {"at": "30s", "node": "n2", "do": "pressure memory"},
            {"at": "2m", "do": "scale deploy/web 40"},
            {"at": "3m", "load": {"service": "web", "rps": 5000}},
            {"at": "0s", "cloud": {"op": "attach", "error": "Internal", "probability": 0.5}},
            {"at": "4m", "apply": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}},
            {"at": "5m", "patch": {"spec": {"replicas": 1}}, "object": "shop/deploy/web"},
        ],
        expect=["min(available(deploy/web)) >= 8"],
    )
    assert (found.start, found.duration, found.seed, found.namespace) == ("apply", 1200.0, 7, "shop")
    assert found.latencies == {"image_pull": 3.0}
    assert [(rule.fails, rule.seconds, rule.size) for rule in found.images] == [
        (3, None, None),
        (None, 20.0, 943718400),
    ]
    web, migrate = found.workloads
    assert (web.ready_after, web.unhealthy_after, web.stop) == (12.0, 60.0, math.inf)
    assert web.crash is not None
    assert (web.crash.exit_code, web.crash.times) == (3, 4)
    assert web.cpu is not None
    assert web.cpu.value({"load": 100, "replicas": 4}) == pytest.approx(0.1)
    assert (migrate.run, migrate.exit_code) == (40.0, 0)
    assert [event.text for event in found.events] == [
        "node/n2 memory pressure",
        "zone/b dies",
        "deploy/web scaled to 40",
        "service/web load 5000/s",
        "configmap/c applied",
        "shop/deploy/web patched",
    ]
    assert [(fault.op, fault.error, fault.probability) for fault in found.cloud] == [("attach_volume", "Internal", 0.5)]
    assert found.ends() == 1200.0


GRACE = {"shutdownGracePeriod": "1m"}
BY_PRIORITY = {"shutdownGracePeriodByPodPriority": [{"priority": 5, "shutdownGracePeriodSeconds": 10}]}


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"do": "shutdown"}, ""),
        ({"do": "shutdown 60s/20s"}, "0=40s,2000000000=20s"),
        ({"do": "shutdown", **GRACE}, "0=60s,2000000000=0s"),
        ({"do": "shutdown", **GRACE, "shutdownGracePeriodCriticalPods": "10s"}, "0=50s,2000000000=10s"),
        ({"do": "shutdown", **BY_PRIORITY}, "5=10s"),
    ],
)
def test_a_shutdown_says_how_long_pods_have(fields: Obj, detail: str) -> None:
    [event] = read(events=[{"node": "n", **fields}]).events
    assert (event.what, event.detail) == ("shutdown", detail)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"bogus": 1}, "bogus: Invalid value: 1: unknown field"),
        ({"profile": {"imagePull": "x"}}, 'profile.imagePull: Invalid value: "x": time: invalid duration "x"'),
        ({"profile": {"imagePull": "5s..2s"}}, 'profile.imagePull: Invalid value: "5s..2s": a range must begin'),
        ({"profile": {"volumeAttach": "1s..2s"}}, 'profile.volumeAttach: Invalid value: "1s..2s": may not be a'),
        ({"profile": {"imagePullRate": "x"}}, "profile.imagePullRate: Invalid value"),
        ({"profile": {"speed": 1}}, "profile.speed: Invalid value: 1: unknown field"),
        ({"images": [{"match": "a"}]}, "images[0]: Invalid value"),
        ({"images": [{"pull": "fail"}]}, "images[0].match: Required value"),
        ({"images": [{"match": "a", "pull": "soon"}]}, "images[0].pull: Invalid value"),
        ({"workloads": [{"match": {}}]}, "workloads[0]: Invalid value"),
        ({"workloads": [{"run": "1s"}]}, "workloads[0].match: Invalid value"),
        ({"workloads": [{"match": {"nam": "x"}, "run": "1s"}]}, "workloads[0].match.nam: Invalid value"),
        ({"workloads": [{"match": {}, "exitCode": 256}]}, "workloads[0].exitCode: Invalid value"),
        ({"workloads": [{"match": {}, "usage": {"cpu": "1 +"}}]}, "workloads[0].usage.cpu: Invalid value"),
        ({"events": [{"at": "1m"}]}, "events[0]: Invalid value"),
        ({"events": ["x"]}, 'events[0]: Invalid value: "x": must be a map'),
        ({"events": [{"at": "-1s", "node": "n", "do": "die"}]}, "events[0].at: Invalid value"),
        ({"events": [{"node": "n", "do": "fly"}]}, "events[0].do: Invalid value"),
        ({"events": [{"node": "n", "do": "die", "x": 1}]}, "events[0].x: Invalid value"),
        ({"events": [{"node": "n", "do": "reboot", "for": "1m"}]}, "events[0].for: Invalid value"),
        ({"events": [{"node": "n", "do": "shutdown soon"}]}, "events[0].do: Invalid value"),
        ({"events": [{"node": "n", "do": "die", "shutdownGracePeriod": "1s"}]}, "events[0].shutdownGracePeriod: Inv"),
        (
            {"events": [{"node": "n", "do": "shutdown", **GRACE, "shutdownGracePeriodCriticalPods": "2m"}]},
            "events[0].shutdownGracePeriodCriticalPods: Invalid value",
        ),
        (
            {"events": [{"node": "n", "do": "shutdown", **GRACE, **BY_PRIORITY}]},
            "events[0].shutdownGracePeriodByPodPriority: Invalid value",
        ),
        ({"events": [{"do": "scale deploy/web"}]}, "events[0].do: Invalid value"),
        ({"events": [{"do": "scale deploy/web -1"}]}, "events[0].do: Invalid value"),
        ({"events": [{"load": {"rps": 1}}]}, "events[0].load: Invalid value"),
        ({"events": [{"load": {"service": "web", "rps": -1}}]}, "events[0].load.rps: Invalid value"),
        ({"events": [{"cloud": {"op": "fly", "error": "E"}}]}, "events[0].cloud.op: Invalid value"),
        ({"events": [{"cloud": {"op": "ensure_lb"}}]}, "events[0].cloud.error: Required value"),
        ({"events": [{"apply": {"kind": "X"}}]}, "events[0].apply: Invalid value"),
        ({"expect": ["min("]}, "expect[0]: Invalid value"),
        ({"expect": [1]}, "expect[0]: Invalid value"),
        ({"start": "later"}, "start: Unsupported value"),
        ({"duration": True}, "duration: Invalid value"),
    ],
)
def test_every_mistake_is_named_by_its_field(fields: Obj, said: str) -> None:
    errors = wrong(**fields)
    assert len(errors) == 1
    assert errors[0].startswith(said)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(wrong(bogus=1, images=[{}], events=[{"node": "n", "do": "fly"}], expect=["x y"])) >= 4


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["profile", "images", "workloads", "events", "expect", "start", "duration"]), json_values
    )
)
def test_whatever_is_written_is_read_or_refused_and_never_breaks(fields: Obj) -> None:
    reading.read(scenario(**fields))


def test_what_lasts_is_two_steps_and_ends_come_before_beginnings() -> None:
    found = read(
        events=[
            {"at": "10s", "node": "a", "do": "cordon"},
            {"at": "0s", "node": "b", "do": "die", "for": "10s"},
        ]
    )
    assert [(step.at, step.text) for step in steps.steps_of(found)] == [
        (0.0, "node/b dies"),
        (10.0, "node/b recovers"),
        (10.0, "node/a cordoned"),
    ]


@pytest.mark.parametrize(
    ("text", "field", "made"),
    [
        ("node:n2=die@30s", "events", {"at": "30s", "node": "n2", "do": "die"}),
        ("zone:b=die@1m+10m", "events", {"at": "1m", "for": "10m", "zone": "b", "do": "die"}),
        ("node:n2=pressure:memory", "events", {"at": "0s", "node": "n2", "do": "pressure memory"}),
        ("node:n2=shutdown:0=5s,9=1s@3s", "events", {"at": "3s", "node": "n2", "do": "shutdown 0=5s,9=1s"}),
        ("image:app:v2=fail", "images", {"match": "app:v2", "pull": "fail"}),
        ("image:registry.x:5000/app:v2=20s", "images", {"match": "registry.x:5000/app:v2", "pull": "20s"}),
        ("scale:deploy/web=40", "events", {"at": "0s", "do": "scale deploy/web 40"}),
        ("delete:shop/pod/web-0@10s", "events", {"at": "10s", "do": "delete shop/pod/web-0"}),
        ("load:web=5000@3m", "events", {"at": "3m", "load": {"service": "web", "rps": 5000.0}}),
        ("load:deploy/web=5", "events", {"at": "0s", "load": {"workload": "deploy/web", "rps": 5.0}}),
        ("cloud:ensure_lb=Quota", "events", {"at": "0s", "cloud": {"op": "ensure_lb", "error": "Quota"}}),
        ("ready:deploy/web=never", "workloads", {"match": {"kind": "deploy", "name": "web"}, "ready": "never"}),
        (
            "crash:shop/deploy/web=137@3s",
            "workloads",
            {
                "match": {"kind": "deploy", "name": "web", "namespace": "shop"},
                "crash": {"exitCode": 137, "after": "3s"},
            },
        ),
        ("run:job/m=40s", "workloads", {"match": {"kind": "job", "name": "m"}, "run": "40s"}),
    ],
)
def test_a_line_stands_for_a_field_of_the_manifest(text: str, field: str, made: Obj) -> None:
    assert oneliners.fields_of(text) == {field: [made]}
    assert reading.read(oneliners.manifest_of([text]))[1] == []


@pytest.mark.parametrize(
    "text", ["", "x:1", "node:", "node:n2", "scale:deploy/web", "load:web=x", "ready:web=1s", "crash:deploy/web=x"]
)
def test_what_is_no_what_if_is_refused(text: str) -> None:
    with pytest.raises(oneliners.OneLinerError):
        oneliners.manifest_of([text])


def test_lines_come_behind_what_the_file_says() -> None:
    base = scenario(expect=["converged"], events=[{"node": "a", "do": "die"}])
    made = oneliners.manifest_of(["node:b=die"], ["seconds < 60"], base)
    assert [event["node"] for event in made["events"]] == ["a", "b"]
    assert made["expect"] == ["converged", "seconds < 60"]
    assert base["expect"] == ["converged"]
