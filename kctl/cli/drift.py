"""Drift: what was last applied, set by set, against what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.gitops import apply, intent
from kctl.gitops.manifests import Manifest
from kctl.gitops.positions import Place, Positions

if TYPE_CHECKING:
    from kctl.gitops.changes import Change
    from kctl.plane.plane import ControlPlane


def manifests_of(plane: ControlPlane, set_name: str) -> list[Manifest]:
    """Return the manifests a set was last applied with."""
    found = plane.client.get(intent.INTENTS, "", set_name)
    rendered = plane.client.get(intent.RENDERED_SETS, "", found["spec"]["renderedSet"])
    return [
        Manifest(item["file"], item["line"], item["object"], Positions(Place(item["line"], 1), lambda: None))
        for item in rendered["spec"]["objects"]
    ]


def changes(plane: ControlPlane, options: apply.Options) -> list[Change]:
    """Return what applying every set again would change; a change is a drift."""
    found: list[Change] = []
    for wish in plane.client.list(intent.INTENTS).items:
        name = wish["metadata"]["name"]
        planned = apply.plan(
            plane.client,
            manifests_of(plane, name),
            set_name=name,
            registry=plane.server.registry,
            fork=plane.server.fork,
            options=options._replace(field_manager=wish["spec"]["fieldManager"]),
        )
        found += planned.changes
    return found
