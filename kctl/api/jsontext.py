"""JSON text of a value, in the one form in which equal values are equal texts.

In: a JSON value. Out: its text, compact, fields in order. The standard library's encoder makes its inner one anew
for each value, which for small values is most of the work; here it is made once.
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any


def _writer(*, is_sorted: bool) -> Callable[[Any], str]:
    """Return what writes values: the inner encoder, where there is one."""
    make = getattr(json.encoder, "c_make_encoder", None)
    quoted = getattr(json.encoder, "encode_basestring", None)
    if make is None or quoted is None:
        return json.JSONEncoder(separators=(",", ":"), sort_keys=is_sorted, ensure_ascii=False).encode
    encode = make(None, _refused, quoted, None, ":", ",", is_sorted, False, True)

    def written(value: Any) -> str:
        return "".join(encode(value, 0))

    return written


def _refused(value: Any) -> Any:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


canonical = _writer(is_sorted=True)
"""Returns the text of a value."""
as_given = _writer(is_sorted=False)
"""Returns the text with the fields as they stand."""
