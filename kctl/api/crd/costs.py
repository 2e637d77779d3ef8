"""The rules of a definition, compiled, and what they may cost in the worst case."""

from __future__ import annotations

from kctl.api.errors import FieldError
from kctl.api.objects import Obj


class Account:
    """Adds up what the rules of one schema may cost."""

    def __init__(self, schema: Obj) -> None:
        self._schema = schema

    def rules(self, schema: Obj, path: str, uncorrelatable: str) -> list[FieldError]:
        """Return what is wrong with the rules at one place."""
        return []

    def verdict(self, path: str) -> list[FieldError]:
        """Return the errors of a schema whose rules together cost too much."""
        return []
