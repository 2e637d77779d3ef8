"""Paths inside volumes and containers: relative, without a step back, without reserved names.

In comes a path with the place it was written at; complaints are appended as the
validateLocal…Path functions of core validation word them.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.validation.meta import Errors


def inside(path: str, at: str, out: Errors) -> None:
    """Check that a path is relative and does not lead out, as validateLocalDescendingPath."""
    if path.startswith("/"):
        out.append(errors.invalid(at, path, "must be a relative path"))
    no_backsteps(path, at, out)


def local_path(path: str, at: str, out: Errors) -> None:
    """Check that a path is relative, stays inside and has no reserved name, as ValidateLocalNonReservedPath."""
    inside(path, at, out)
    if path.startswith("..") and not path.startswith("../"):
        out.append(errors.invalid(at, path, "must not start with '..'"))


def no_backsteps(path: str, at: str, out: Errors) -> None:
    """Refuse ``..`` as a part of a path."""
    if ".." in path.split("/"):
        out.append(errors.invalid(at, path, "must not contain '..'"))
