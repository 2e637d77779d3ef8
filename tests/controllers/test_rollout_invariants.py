"""Random rollouts through the whole plane: the fenceposts hold at every change, not only at rest.

The Deployment is changed (image, size, pause, undo, fenceposts) while earlier changes are still
being rolled out; every change of every object that the loops record is then looked at in order.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.objects import Key, Obj, annotations_of, controller_uid
from kctl.client.client import WatchEvent
from kctl.controllers import deployment_history, deployment_rolling, deployment_scaling
from kctl.controllers.pods import available_at, is_active, ready_since

D = "deployments.apps"
RS = "replicasets.apps"
LEASES = "leases.coordination.k8s.io"
WEB = Key("default", "web")
REVISION = "deployment.kubernetes.io/revision"
IMAGES = ("app:1", "app:2", "app:3", "app/NOT-pullable")
BAD = IMAGES.index("app/NOT-pullable")
READY_AFTER = (0, 3, 7, 0)

amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "20%", "25%", "50%", "100%"]))
fences = st.tuples(amounts, amounts).map(lambda pair: pair if any(int(str(x).strip("%")) for x in pair) else (1, 0))
changes = st.one_of(
    st.tuples(st.just("image"), st.integers(0, BAD)),
    st.tuples(st.just("replicas"), st.integers(0, 8)),
    st.tuples(st.just("paused"), st.booleans()),
    st.tuples(st.just("undo"), st.integers(0, 3)),
    st.tuples(st.just("fences"), fences),
)
NOT_YET, TO_THE_END = -1.0, 3600.0
pauses = st.one_of(st.sampled_from([NOT_YET, 0.0, TO_THE_END]), st.integers(1, 12).map(float))
plays = {
    "first": fences,
    "replicas": st.integers(0, 6),
    "min_ready": st.sampled_from([0, 4]),
    "started": st.sampled_from([TO_THE_END, 2.0]),
    "steps": st.lists(st.tuples(changes, pauses), max_size=10),
}


def template(image: int) -> Obj:
    container: Obj = {"name": "c", "image": IMAGES[image]}
    if READY_AFTER[image]:
        probe = {"initialDelaySeconds": READY_AFTER[image], "periodSeconds": 1, "tcpSocket": {"port": 80}}
        container["readinessProbe"] = probe
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}


def rolling(fence: tuple[Any, Any]) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": fence[0], "maxUnavailable": fence[1]}}


def pods_of(amount: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(amount, int):
        return amount
    share = int(amount.removesuffix("%")) * replicas / 100
    return ceil(share) if up else int(share)


class Ledger:
    """The Deployment, its ReplicaSets and its pods as the recorded changes build them up."""

    def __init__(self) -> None:
        self.deployment: Obj = {}
        self.pods: dict[str, Obj] = {}
        self.sets: dict[str, Obj] = {}
        self.is_held = False
        """Whether enough pods have been available since the last change of size or fenceposts."""
        self.revision = 0

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the most pods there may be and the fewest available ones."""
        spec = self.deployment["spec"]
        replicas, fence = spec["replicas"], spec["strategy"]["rollingUpdate"]
        surge = pods_of(fence["maxSurge"], replicas, up=True)
        unavailable = pods_of(fence["maxUnavailable"], replicas, up=False)
        if not surge and not unavailable:
            unavailable = 1
        return replicas + surge, replicas - min(unavailable, replicas)

    def total(self) -> int:
        return sum(is_active(pod) for pod in self.pods.values())

    def available(self, now: float) -> int:
        return sum(at <= now for at in self._moments())

    def is_any_ripening(self, now: float) -> bool:
        """Say whether a pod is ready and yet to be available: a ReplicaSet takes no heed of that when it chooses."""
        return any(at > now for at in self._moments())

    def _moments(self) -> list[float]:
        """Return since when, or from when on, the pods that are ready are available."""
        wait = self.deployment["spec"].get("minReadySeconds") or 0
        moments = (available_at(ready_since(pod) or "", wait) for pod in self.pods.values() if self._serves(pod))
        return [at for at in moments if at is not None]

    @staticmethod
    def _serves(pod: Obj) -> bool:
        return is_active(pod) and ready_since(pod) is not None

    def see(self, event: WatchEvent, now: float) -> None:
        """Take one recorded change in and check what it may not do."""
        obj, gone = event.object, event.type == "DELETED"
        uid = obj["metadata"]["uid"]
        if event.resource == "pods":
            before, had, any_goes = self.total(), self.available(now), self.is_any_ripening(now)
            self.pods.pop(uid, None) if gone else self.pods.update({uid: obj})
            most, fewest = self.bounds
            assert self.total() <= max(most, before), "more pods than replicas + maxSurge"
            if self.is_held and not any_goes:
                assert self.available(now) >= min(fewest, had), "fewer available than replicas - maxUnavailable"
        elif event.resource == RS:
            self.sets.pop(uid, None) if gone else self.sets.update({uid: obj})
        elif event.resource == D:
            if self.deployment and obj["spec"] != self.deployment["spec"]:
                same = [obj["spec"][field] == self.deployment["spec"][field] for field in ("replicas", "strategy")]
                self.is_held = self.is_held and all(same)
            self.deployment = obj
            revision = int(annotations_of(obj).get(REVISION, 0))
            assert revision >= self.revision, "the revision went back"
            self.revision = revision

    def end_instant(self, now: float) -> None:
        if self.deployment and self.available(now) >= self.bounds[1]:
            self.is_held = True


def watch(cp: ControlPlane, ledger: Ledger) -> None:
    """Let the ledger see what the last run recorded."""
    converger = cp.converger
    last = None
    for event, at in zip(converger.trace, converger.times, strict=True):
        if last is not None and at != last:
            ledger.end_instant(last)
        ledger.see(event, at)
        last = at
    ledger.end_instant(cp.now)


def sets_by_revision(cp: ControlPlane) -> list[Obj]:
    owner = cp.client.get(D, *WEB)["metadata"]["uid"]
    mine = [rs for rs in cp.client.list(RS).items if controller_uid(rs) == owner]
    return sorted(mine, key=lambda rs: int(annotations_of(rs)[REVISION]))


def without_hash(rs: Obj) -> Obj:
    found = rs["spec"]["template"]
    labels = {name: value for name, value in found["metadata"]["labels"].items() if name != "pod-template-hash"}
    return {**found, "metadata": {**found["metadata"], "labels": labels}}


def expected_revision(cp: ControlPlane) -> int | None:
    """Return the number that the template of the Deployment bears next; None: no ReplicaSet is made of it yet."""
    deployment = cp.client.get(D, *WEB)
    known = {str(without_hash(rs)): int(annotations_of(rs)[REVISION]) for rs in sets_by_revision(cp)}
    mine = known.pop(str(deployment["spec"]["template"]), None)
    if mine is None and deployment["spec"].get("paused"):
        return None
    return max([*known.values(), (mine or 1) - 1, 0]) + 1


def run(cp: ControlPlane, ledger: Ledger, seconds: float) -> None:
    """Run for so long and check the trace and the numbering of revisions."""
    wanted = expected_revision(cp)
    cp.run(within=seconds)
    assert not cp.converger.manager.crashes
    watch(cp, ledger)
    if wanted is not None:
        assert int(annotations_of(cp.client.get(D, *WEB))[REVISION]) == wanted
    numbers = [int(annotations_of(rs)[REVISION]) for rs in sets_by_revision(cp)]
    assert len(set(numbers)) == len(numbers)


def change(cp: ControlPlane, what: str, value: Any) -> None:
    if what in ("image", "undo"):
        sets = sets_by_revision(cp)
        new = template(value) if what == "image" else without_hash(sets[value % len(sets)]) if sets else None
        if new:
            deployment = cp.client.get(D, *WEB)
            cp.client.update(D, {**deployment, "spec": {**deployment["spec"], "template": new}})
    else:
        field = {"fences": "strategy"}.get(what, what)
        cp.client.patch(D, WEB, {"spec": {field: rolling(value) if what == "fences" else value}})


def play(first: tuple[Any, Any], replicas: int, min_ready: int, started: float, steps: list[Any]) -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.use_mark(False)
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(0),
            "strategy": rolling(first),
            "minReadySeconds": min_ready,
        }
        meta = {"name": "web", "namespace": "default"}
        cp.client.create(D, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})
        ledger = Ledger()
        run(cp, ledger, started)
        for (what, value), seconds in steps:
            change(cp, what, value)
            if seconds != NOT_YET:
                run(cp, ledger, seconds)
        change(cp, "paused", False)
        if cp.client.get(D, *WEB)["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGES[BAD]:
            change(cp, "image", 1)
        run(cp, ledger, TO_THE_END)
        check_rest(cp, ledger)


def check_rest(cp: ControlPlane, ledger: Ledger) -> None:
    """Only the ReplicaSet of the template has pods, all of them available; another run changes nothing."""
    deployment = cp.client.get(D, *WEB)
    asked = deployment["spec"]["replicas"]
    sizes = {str(without_hash(rs)): rs["spec"]["replicas"] for rs in sets_by_revision(cp)}
    assert {name: size for name, size in sizes.items() if size} == (
        {str(deployment["spec"]["template"]): asked} if asked else {}
    )
    assert ledger.total() == ledger.available(cp.now) == asked == len(ledger.pods)
    assert deployment["status"].get("availableReplicas", 0) == asked
    cp.run()
    assert [event for event in cp.converger.trace if event.resource != LEASES] == []


QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@QUICK
@given(**plays)
def test_random_rollouts_keep_their_fenceposts_at_every_change(first, replicas, min_ready, started, steps):
    play(first, replicas, min_ready, started, steps)


@pytest.mark.slow
@settings(QUICK, max_examples=500)
@given(**plays)
def test_many_random_rollouts_keep_their_fenceposts_at_every_change(first, replicas, min_ready, started, steps):
    play(first, replicas, min_ready, started, steps)


def test_a_change_that_breaks_a_fencepost_is_noticed():
    ledger = Ledger()
    spec = {"replicas": 1, "strategy": rolling((0, 1)), "template": template(0)}
    web = {"metadata": {"uid": "d", "name": "web"}, "spec": spec}
    ledger.see(WatchEvent("ADDED", D, web, None), 0.0)
    pod = {"metadata": {"uid": "a"}, "spec": {}, "status": {"phase": "Running"}}
    ledger.see(WatchEvent("ADDED", "pods", pod, None), 0.0)
    with pytest.raises(AssertionError, match="maxSurge"):
        ledger.see(WatchEvent("ADDED", "pods", {**pod, "metadata": {"uid": "b"}}, None), 0.0)


def test_a_pause_leaves_the_old_pods_until_the_new_ones_are_available():
    steps = [(("image", 1), 0.0), (("paused", True), 0.0)]
    play((1, 0), 1, 0, TO_THE_END, steps)


def one_more_new(monkeypatch: pytest.MonkeyPatch) -> None:
    right = deployment_rolling.new_size
    monkeypatch.setattr(deployment_rolling, "new_size", lambda draft, rs: min(right(draft, rs) + 1, draft.replicas))


def one_more_old_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    right = deployment_rolling._drop_available
    monkeypatch.setattr(deployment_rolling, "_drop_available", lambda draft, spare: right(draft, spare + 1))


def unhealthy_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    right = deployment_rolling._scale_old

    def wrong(draft: Any) -> bool:
        draft.max_unavailable += 1
        return right(draft)

    monkeypatch.setattr(deployment_rolling, "_scale_old", wrong)


def shares_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    right = deployment_scaling._proportion
    monkeypatch.setattr(deployment_scaling, "_proportion", lambda *given: right(*given) + 1)


def a_revision_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment_history, "next_revision", len)


ROLL = [(("image", 1), TO_THE_END), (("image", 2), 4.0), (("replicas", 7), 4.0), (("undo", 0), TO_THE_END)]
SCALE = [(("image", 1), 1.0), (("replicas", 8), 1.0), (("paused", True), 2.0), (("replicas", 3), 2.0)]


@pytest.mark.parametrize(
    ("mutant", "fence", "steps"),
    [
        (one_more_new, (1, 0), ROLL),
        (one_more_old_gone, (1, 0), ROLL),
        (unhealthy_without_limit, (1, 0), ROLL),
        (shares_too_large, (1, 1), SCALE),
        (a_revision_that_stays, (1, 0), ROLL),
    ],
)
def test_a_controller_that_is_off_by_one_is_caught(
    mutant: Any, fence: tuple[int, int], steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    play(fence, 5, 0, TO_THE_END, steps)
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        play(fence, 5, 0, TO_THE_END, steps)
