"""Latencies drawn by the seed, or computed from sizes and a rate."""

from __future__ import annotations

from statistics import median
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.behaviour import Pulling
from kctl.api.clock import parse_time
from kctl.api.objects import Obj
from kctl.kubelet.measured import Measured, draw
from kctl.plane import cluster as clusters
from kctl.runtime.profile import Profile

RANGED = Profile(image_pull=2.0, image_pull_most=20.0)


@settings(max_examples=60)
@given(st.integers(), st.text(max_size=10), st.integers(0, 50), st.integers(1, 500))
def test_a_draw_is_a_whole_number_of_the_range_and_always_the_same(seed: int, what: str, least: int, more: int) -> None:
    found = draw(seed, what, least, least + more)
    assert least <= found <= least + more
    assert found == int(found) == draw(seed, what, least, least + more)


def test_most_draws_are_small_some_are_large() -> None:
    drawn = [draw(0, str(n), 2, 60) for n in range(500)]
    assert 6 <= median(drawn) <= 18
    assert min(drawn) == 2
    assert max(drawn) > 50


def pod(**notes: str) -> Obj:
    says = {f"sim.kctl.dev/{name}": text for name, text in notes.items()}
    return {
        "metadata": {"name": "p", "annotations": says},
        "spec": {"containers": [{"name": "a", "image": "one"}, {"name": "b", "image": "two"}]},
    }


def test_images_differ_nodes_do_not_and_short_names_are_the_same_image() -> None:
    world = Measured(None, RANGED, 0)
    seconds = {image: world.image(image, "n1").seconds for image in ("a", "b", "c", "d", "e")}
    assert len(set(seconds.values())) > 1
    assert world.image("a", "n2").seconds == seconds["a"] == world.image("docker.io/library/a:latest", "n1").seconds
    other = Measured(None, RANGED, 1)
    assert [other.image(image, "n1").seconds for image in seconds] != list(seconds.values())


def test_an_image_of_known_size_takes_as_long_as_the_rate_says() -> None:
    world = Measured(None, Profile(image_pull_rate=10.0 * (1 << 20)), 0)
    found = world.pod(pod(size="300Mi"))
    assert found is not None
    assert found.of("a").pulling == Pulling(seconds=30.0, size=300 << 20)
    assert world.image("a", "n1").seconds is None


def test_what_somebody_says_stays() -> None:
    world = Measured(None, RANGED._replace(container_start_most=30.0), 0)
    found = world.pod(pod(pull="7s", start="9s"))
    assert found is not None
    assert (found.of("a").pulling or Pulling()).seconds == 7.0
    assert found.of("b").start == 9.0
    plain = world.pod(pod())
    assert plain is not None
    assert plain is world.pod(pod())
    assert {plain.of("a").start, plain.of("b").start} <= {float(n) for n in range(1, 31)}


def shape(**latencies: str) -> clusters.Cluster:
    spec = {"cloud": "none", "nodes": 2, "latencies": latencies}
    return clusters.parse({"apiVersion": "kctl.dev/v1", "kind": "Cluster", "spec": spec})


def started(seed: int, **latencies: str) -> dict[str, float]:
    with ControlPlane.for_cluster(None, shape(**latencies), seed=seed) as plane:
        plane.run()
        for name in ("a", "b", "c", "d", "e", "f"):
            containers: Any = [{"name": "c", "image": name}, {"name": "d", "image": f"{name}d"}]
            meta = {"name": name, "namespace": "default"}
            plane.client.create("pods", {"metadata": meta, "spec": {"containers": containers}})
        assert plane.run().end == "Quiet"
        found = {}
        for one in plane.client.list("pods", "default").items:
            state = one["status"]["containerStatuses"][1]["state"]["running"]
            found[one["metadata"]["name"]] = parse_time(state["startedAt"]) - parse_time(one["status"]["startTime"])
        revision = plane.server.revision
        plane.use_mark(False)
        again = plane.run()
        assert (again.end, again.now, plane.server.revision) == ("Quiet", again.started, revision)
        return found


def test_pods_start_when_their_images_are_there_the_same_in_every_run() -> None:
    latencies = {"imagePull": "2s..60s", "containerStart": "1s..9s"}
    first = started(0, **latencies)
    assert first == started(0, **latencies)
    assert first != started(1, **latencies)
    assert len(set(first.values())) > 1
