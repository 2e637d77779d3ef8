"""Events go an hour after they were last written; a run that cannot have any to forget looks at none."""

from __future__ import annotations

from pathlib import Path

import pytest

from kctl import ControlPlane
from kctl.apiserver import expiry

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "c", "image": "x"}]},
}


def events(plane: ControlPlane) -> int:
    return len(plane.client.list("events", "default").items)


def test_events_of_the_last_hour_stay_and_older_ones_go(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=1) as plane:
        plane.converge()
        plane.request("POST", "/api/v1/namespaces/default/pods", body=POD)
        plane.converge()
        assert events(plane) >= 4
        plane.advance("50m")
        plane.request("DELETE", "/api/v1/namespaces/default/pods/web")
        plane.converge()
        before = events(plane)
        plane.advance("25m")
        plane.advance("1s")  # a run begins after the hour, and some minutes
        assert 0 < events(plane) < before
        plane.advance("2h")
        plane.advance("1s")
        assert events(plane) == 0
        revision = plane.revision
        plane.use_mark(False)
        plane.converge()
        assert plane.revision == revision


@pytest.mark.parametrize("note", [b"nonsense", None])
def test_a_note_that_is_lost_costs_a_look_and_no_event(note: bytes | None) -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        plane.converge()
        plane.request("POST", "/api/v1/namespaces/default/pods", body=POD)
        plane.converge()
        before = events(plane)
        plane.server.storage.store.set_hint(expiry.NOTE, note)
        plane.advance("30m")
        plane.converge()
        assert events(plane) == before
