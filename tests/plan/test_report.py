"""The report of a quiet cluster is not worked out twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.plan import report, residual

Obj = dict[str, Any]
TOO_BIG = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "big", "namespace": "default"},
    "spec": {"containers": [{"name": "c", "image": "a:1", "resources": {"requests": {"cpu": "100"}}}]},
}


def settled(folder: Path, *, advance: float | None = None, full: bool = False, pods: tuple[Obj, ...] = ()) -> Obj:
    """Open the cluster, create the pods, run it and return the report."""
    with ControlPlane.open(folder, nodes=1) as plane:
        for pod in pods:
            plane.client.create("pods", pod)
        plane.use_mark(not full)
        return report.build(plane, plane.run(advance=advance))


def test_a_quiet_revision_keeps_what_is_left_to_desire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(tmp_path)  # the default service account is there now
    first = settled(tmp_path, pods=(TOO_BIG,))
    assert [entry["object"] for entry in first["residual"]] == ["pod/big"]
    with monkeypatch.context() as patch:
        patch.setattr(residual, "blockers", lambda _: pytest.fail("worked out again"))
        again = settled(tmp_path)
    assert again["verdict"] == "Settled"
    assert again["residual"] == first["residual"] == settled(tmp_path, full=True)["residual"]


@pytest.mark.parametrize(
    "how", [{"full": True}, {"advance": 60.0}, {"pods": ({**TOO_BIG, "metadata": {"name": "b"}},)}]
)
def test_it_is_worked_out_when_something_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Obj
) -> None:
    settled(tmp_path)
    calls = []
    real = residual.blockers
    monkeypatch.setattr(residual, "blockers", lambda client: calls.append(1) or real(client))
    if "pods" in how:
        how = {"pods": tuple({**pod, "metadata": {**pod["metadata"], "namespace": "default"}} for pod in how["pods"])}
    settled(tmp_path, **how)
    assert calls
