"""JSON patch, RFC 6902: wraps the ``jsonpatch`` library, imported when first needed."""

from __future__ import annotations

from typing import Any

from kctl.api.errors import StatusError, bad_request

MAX_OPERATIONS = 10_000
MAX_COPIED = 3 * 1024 * 1024
"""All that copy operations may add, in bytes of JSON; as kube-apiserver sets AccumulatedCopySizeLimit."""


def patch(target: Any, operations: Any) -> Any:
    """Return what the operations make of the target, which stays as it is.

    Raises BadRequest for what is no list of operations, and Invalid without a word about the reason,
    as kube-apiserver, for operations that cannot be carried out.
    """
    if not isinstance(operations, list):
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {_go_type(operations)} "
            "into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MAX_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        raise StatusError(413, "RequestEntityTooLarge", message)
    for operation in operations:
        if not isinstance(operation, dict):
            raise bad_request(
                f"error decoding patch: json: cannot unmarshal {_go_type(operation)} "
                "into Go value of type handlers.jsonPatchOp"
            )

    import jsonpatch as library
    import jsonpointer

    try:
        out, copied = _own(target), 0
        for operation in operations:
            if operation.get("op") == "copy":
                copied += _size(jsonpointer.resolve_pointer(out, operation["from"]))
                if copied > MAX_COPIED:
                    raise _rejected()
            out = library.JsonPatch([_own(_with_indexes(operation, out))]).apply(out, in_place=True)
        return out
    except (library.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise _rejected() from error
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise _rejected() from error  # the library meets a scalar where a path goes on


def between(before: Any, after: Any) -> list[Any]:
    """Return the operations that make one value of another, as ``kubectl patch --type json`` takes them."""
    import jsonpatch as library

    found: list[Any] = library.make_patch(_own(before), _own(after)).patch
    return found


def _size(value: Any) -> int:
    """Return how many bytes of JSON a value takes, roughly."""
    if isinstance(value, dict):
        return 2 + sum(len(name) + 4 + _size(child) for name, child in value.items())
    if isinstance(value, list):
        return 2 + sum(1 + _size(item) for item in value)
    return len(value.encode()) + 2 if isinstance(value, str) else 4


def _with_indexes(operation: Any, target: Any) -> Any:
    """Return the operation with list indexes as the library wants them.

    The server also takes leading zeros, and counts negative ones from the end.
    """
    out = dict(operation)
    for field in ("path", "from"):
        if isinstance(out.get(field), str):
            adding = field == "path" and out.get("op") in ("add", "copy", "move")
            out[field] = _path(out[field], target, adding=adding)
    return out


def _path(path: str, at: Any, *, adding: bool) -> str:
    tokens = path.split("/")
    for n, token in enumerate(tokens[1:], 1):
        if isinstance(at, list) and token.lstrip("-").isdecimal():
            size = len(at) + 1 if adding and n == len(tokens) - 1 else len(at)
            index = int(token)
            if -size <= index < 0:
                index += size
            tokens[n] = str(index)
            at = at[index] if 0 <= index < len(at) else None
        else:
            at = at.get(token.replace("~1", "/").replace("~0", "~")) if isinstance(at, dict) else None
    return "/".join(tokens)


def _own(value: Any) -> Any:
    """Return a copy that the library may change; its own deepcopy is ten times slower."""
    if isinstance(value, dict):
        return {name: _own(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value


def _rejected() -> StatusError:
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request")


def _go_type(value: Any) -> str:
    """Name a JSON type as Go's decoder does."""
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((dict, "object"), (list, "array"), (str, "string"), (int | float, "number")):
        if isinstance(value, kind):
            return name
    return "null"
