"""Which Pod Security Standards the labels of a namespace ask for.

In: labels. Out: a standard (level and version) for enforce, audit and warn, and what is wrong with
the labels. As k8s.io/pod-security-admission/api.PolicyToEvaluate with the defaults of a server
without configuration: privileged, latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from kctl.api.errors import FieldError, invalid

PREFIX = "pod-security.kubernetes.io/"
MODES = ("enforce", "audit", "warn")
LABELS = frozenset(PREFIX + mode + suffix for mode in MODES for suffix in ("", "-version"))
STRICTNESS = {"privileged": 0, "baseline": 1, "restricted": 2}
LATEST = (1 << 63) - 1
"""The version that is newer than every other."""


class Standard(NamedTuple):
    """A level, and the minor version whose checks are meant."""

    level: str = "privileged"
    version: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.version == LATEST else f'v1.{self.version}'}"


class Policy(NamedTuple):
    """What a namespace asks for."""

    enforce: Standard
    audit: Standard
    warn: Standard
    errors: tuple[FieldError, ...] = ()


def parse(labels: Mapping[str, str]) -> Policy:
    """Return the policy of a namespace with those labels."""
    return _parse(tuple((name, labels[name]) for name in sorted(LABELS & labels.keys())))


@lru_cache(maxsize=256)
def _parse(pairs: tuple[tuple[str, str], ...]) -> Policy:
    labels = dict(pairs)
    errors: list[FieldError] = []
    found: dict[str, Standard] = {}
    for mode in MODES:
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        standard = Standard()
        if level is not None:
            known = level in STRICTNESS
            standard = Standard(level if known else "restricted" if mode == "enforce" else "privileged")
            if not known:
                errors.append(_wrong(mode, level, f"must be one of {', '.join(STRICTNESS)}"))
        if version is not None:
            number = version_number(version)
            standard = standard._replace(version=LATEST if number is None else number)
            if number is None:
                errors.append(_wrong(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
        found[mode] = standard
    warn = found["warn"]
    enforced = labels.get(PREFIX + "enforce")
    if PREFIX + "warn" not in labels and enforced in STRICTNESS and enforced != "privileged":
        own_version = f"{PREFIX}warn-version" in labels
        warn = Standard(enforced, warn.version if own_version else found["enforce"].version)
    return Policy(found["enforce"], found["audit"], warn, tuple(errors))


def version_number(text: str) -> int | None:
    """Return the minor of ``v1.x``, :data:`LATEST` for ``latest``, None for anything else."""
    if text == "latest":
        return LATEST
    digits = text.removeprefix("v1.")
    if digits == text or not digits.isascii() or not digits.isdigit() or len(digits) > len(str(LATEST)):
        return None
    return int(digits) if digits == str(int(digits)) else None


def _wrong(label: str, value: str, why: str) -> FieldError:
    return invalid(f"metadata.labels[{PREFIX}{label}]", value, why)
