"""The rules in CEL of a custom resource's schema (``x-kubernetes-validations``)."""

from __future__ import annotations

from kctl.api.errors import FieldError
from kctl.api.objects import Obj


class Rules:
    """The rules of one schema, compiled."""

    def check(self, new: Obj, old: Obj | None) -> list[FieldError]:
        """Return what the rules say of an object."""
        return []


def compiled(schema: Obj) -> Rules:
    """Return the rules of a schema."""
    return Rules()
