"""Which objects a list or watch is about: label and field selectors as one test."""

from __future__ import annotations

import json
from collections.abc import Callable

from kctl.api.errors import StatusError, bad_request
from kctl.api.objects import Obj
from kctl.api.registry import Kind

Matcher = Callable[[Obj], bool]


def matcher(kind: Kind, labels: str, fields: str) -> Matcher | None:
    """Return what tells whether an object is selected, None when every one is; BadRequest."""
    if not labels and not fields:
        return None
    from kctl.api import selectors

    try:
        by_label = selectors.parse(labels)
        by_field = selectors.fields(fields)
        by_field.check(kind)
    except StatusError:
        raise
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not fields:
        return lambda obj: by_label.matches(obj["metadata"].get("labels") or {})
    if not labels:
        return by_field.matches
    return lambda obj: by_field.matches(obj) and by_label.matches(obj["metadata"].get("labels") or {})


def words(fields: str) -> list[bytes]:
    """Return what stands in the stored form of every object that a field selector selects."""
    from kctl.api import selectors

    return [json.dumps(text, ensure_ascii=False).encode() for text in selectors.fields(fields).texts()]
