from __future__ import annotations

from pathlib import Path

import pytest

from kctl.plane.plane import ControlPlane
from kctl.plane.retention import History, is_due, oldest_kept
from kctl.store.api import Entry

Row = tuple[int, int, float, str]
"""First and last revision, time, cause."""


def entries(rows: list[Row]) -> list[Entry]:
    return [Entry(n, first, last, 0, 0, now, cause, b"") for n, (first, last, now, cause) in enumerate(rows)]


TEN_EACH: list[Row] = [(10 * n + 1, 10 * n + 10, 100.0 * n, "apply") for n in range(10)]


@pytest.mark.parametrize(
    ("history", "rows", "oldest"),
    [
        (History(50, 1), TEN_EACH, 50),
        (History(50, 8), TEN_EACH, 20),
        (History(50, 11), TEN_EACH, 0),
        (History(5, 0), TEN_EACH, 90),
        (History(50, 8, age=250.0), TEN_EACH, 70),
        (History(50, 8, age=1.0), TEN_EACH, 90),
        (History(1000, 1), TEN_EACH, 0),
        (History(5, 1), [(1, 4, 0.0, "init"), (5, 900, 1.0, "apply"), (901, 2000, 2.0, "converge")], 4),
        (History(5, 1), [(1, 9, 0.0, "converge")], 0),
        (History(5, 1), [], 0),
    ],
)
def test_what_is_kept(history: History, rows: list[Row], oldest: int) -> None:
    assert oldest_kept(history, entries(rows)) == oldest


def test_it_is_time_when_there_is_half_as_much_again() -> None:
    assert not is_due(History(100), 150)
    assert is_due(History(100), 153)
    assert not is_due(History(0), 10**9)


def test_a_folder_is_bounded_under_endless_writes(tmp_path: Path) -> None:
    kept = []
    for _ in range(9):
        with ControlPlane.open(tmp_path / "state", controllers=[]) as plane:
            plane.shape = plane.shape._replace(history=History(200, 2))
            for n in range(40):
                body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "x"}}
                method, path = ("POST", "") if plane.client.list("configmaps", "default").items == [] else ("PUT", "/a")
                body["data"]["v"] += str(n)  # type: ignore[index]
                plane.request(method, f"/api/v1/namespaces/default/configmaps{path}", body)
        with ControlPlane.open(tmp_path / "state", controllers=[]) as plane:
            kept.append(plane.revision - plane.store.compacted())
    assert max(kept) <= 301
    assert min(kept[5:]) >= 200


def test_a_plane_that_stays_open_forgets_as_it_goes(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", controllers=[]) as plane:
        plane.shape = plane.shape._replace(history=History(100, 2))
        path = "/api/v1/namespaces/default/configmaps"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"v": "0"}}
        assert plane.request("POST", path, body).status == 201
        for n in range(1, 600):
            assert plane.request("PUT", f"{path}/a", {**body, "data": {"v": str(n)}}).status == 200
        assert plane.store.compacted() > 350
        assert plane.store.head() == plane.server.storage.head
        assert plane.client.get("configmaps", "default", "a")["data"] == {"v": "599"}
