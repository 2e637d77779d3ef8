"""What was last applied: the manifests of every set, as its intent has them.

Planning them again (:func:`kctl.gitops.apply.drift`) shows where the cluster is no longer what
was asked for.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.client.client import Client
from kctl.gitops import inventory
from kctl.gitops.intent import FINISHED, INTENTS, RENDERED_SETS, unhealthy
from kctl.gitops.manifests import Manifest
from kctl.gitops.positions import Place, Positions


class AppliedSet(NamedTuple):
    """One set as it was last applied."""

    name: str
    field_manager: str
    phase: str
    manifests: list[Manifest]
    results: list[Obj]
    waits_for: tuple[str, ...] = ()
    """What of its earlier waves is not healthy yet."""


def sets(client: Client) -> list[AppliedSet]:
    """Return every set that was applied, in order of name."""
    found = []
    for intent in client.list(INTENTS).items:
        spec, status = intent["spec"], intent.get("status") or {}
        rendered = inventory.read(client, RENDERED_SETS, spec["renderedSet"])
        if rendered is None:
            continue
        is_current = status.get("observedSerial") == spec["serial"]
        phase = status.get("phase", "Pending") if is_current else "Pending"
        manifests = [_manifest(entry) for entry in rendered["spec"]["objects"]]
        results = status.get("results") or [] if is_current else []
        waits = () if phase in FINISHED else _waits(client, rendered["spec"]["objects"], len(results))
        found.append(AppliedSet(spec["set"], spec["fieldManager"], phase, manifests, results, waits))
    return found


def _waits(client: Client, objects: list[Obj], applied: int) -> tuple[str, ...]:
    return tuple(unhealthy(objects, applied, lambda resource, key: inventory.read_at(client, resource, key)))


def _manifest(entry: Obj) -> Manifest:
    """Return the manifest of an applied object; of its places only the first is known."""
    place = Place(entry["line"], 1)
    return Manifest(entry["file"], entry["line"], entry["object"], Positions(place, lambda: None))
