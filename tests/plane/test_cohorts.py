"""A world is the same to the byte, whether what happens alike is thought of together or one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.apiserver import alike_events, encoding
from kctl.apiserver.packed import PackedObjects
from tests.plane.test_plane import DEPLOYMENTS, deployment

ALWAYS, NEVER = 1, 1_000_000


def history(folder: Path, least: int) -> tuple[list[Any], int]:
    """Return all that is stored of a world where pods come, do not fit and go, and how many Events were filled in."""
    filled: list[Any] = []
    fill = PackedObjects.fill
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike_events, "MANY", least)
        patch.setattr(encoding, "MIN_ALIKE", 8)
        patch.setattr(PackedObjects, "fill", lambda self, *event: filled.append(event) or fill(self, *event))
        with ControlPlane.open(folder, nodes=3) as cp:
            for name, replicas, cpu in (("web", 14, "100m"), ("big", 9, "3"), ("huge", 2, "100")):
                body = deployment(replicas, cpu)
                body["metadata"]["name"] = name
                body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": name}
                cp.request("POST", DEPLOYMENTS, body=body)
            cp.converge()
            container = {"name": "c", "image": "example/c:2"}
            change = {"spec": {"template": {"spec": {"containers": [container]}}}}
            for name, patch_ in (("web", change), ("big", {"spec": {"replicas": 1}})):
                headers = {"Content-Type": "application/strategic-merge-patch+json"}
                answer = cp.request("PATCH", f"{DEPLOYMENTS}/{name}", body=patch_, headers=headers)
                assert answer.status == 200
            cp.converge()
            return [tuple(change) for change in cp.server.storage.store.changes(0)], len(filled)


def test_what_is_stored_does_not_depend_on_which_events_were_recorded_together(tmp_path: Path) -> None:
    (together, number), (alone, none) = history(tmp_path / "a", ALWAYS), history(tmp_path / "b", NEVER)
    assert together == alone
    assert (number > 50, none) == (True, 0)
