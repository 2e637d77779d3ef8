"""The objects every cluster starts with."""

from __future__ import annotations

from kctl.api import schema
from kctl.api.clock import EPOCH
from kctl.api.patch import managed
from kctl.api.registry import builtin
from kctl.apiserver import bootstrap


def test_their_fields_are_the_servers_as_a_write_would_leave_them() -> None:
    for resource, _, obj in bootstrap.objects(0, EPOCH, "10.96.0.0/12"):
        kind = builtin().storage(resource)
        bare = {**obj, "metadata": {name: v for name, v in obj["metadata"].items() if name != "managedFields"}}
        written = managed.updated(
            None, bare, schema.of(kind), manager=bootstrap.MANAGER, api_version=kind.api_version, now=EPOCH
        )
        assert obj["metadata"]["managedFields"] == written["metadata"]["managedFields"]
