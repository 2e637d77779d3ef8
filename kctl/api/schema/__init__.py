"""The schemas of the built-in kinds, from one generated table that is read when first asked."""

from __future__ import annotations

from kctl.api.schema.loader import definition, describe, of
from kctl.api.schema.node import Node

__all__ = ["Node", "definition", "describe", "of"]
