"""Defaults of volumes in pods and of persistent volumes, as core/v1 SetDefaults_*VolumeSource.

In comes one volume; out goes it with modes, file systems and pools filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.objects import Obj

FILE_MODE = 0o644
AZURE_DISK = {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False}
RBD = {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}
SCALE_IO = {"storageMode": "ThinProvisioned", "fsType": "xfs"}


def filled(value: Obj, defaults: Obj) -> Obj:
    """Return the value with defaults where a field is absent, null or "" ."""
    missing = {name: default for name, default in defaults.items() if value.get(name) in {None, ""}}
    return {**value, **missing} if missing else value


def volume(value: Obj) -> Obj:
    """Default one volume of a pod; a volume without a source is an emptyDir."""
    if not any(source is not None for name, source in value.items() if name != "name"):
        return {**value, "emptyDir": {}}
    out = value
    for name, source in value.items():
        rule = SOURCES.get(name)
        if rule is not None and source is not None:
            done = rule(source)
            if done is not source:
                out = {**out, name: done}
    return out


def source(spec: Obj) -> Obj:
    """Default the source of a persistent volume."""
    out = spec
    for name, rule in PERSISTENT.items():
        value = spec.get(name)
        if value is not None:
            done = rule(value)
            if done is not value:
                out = {**out, name: done}
    return out


def _mode(value: Obj) -> Obj:
    """Default the mode of files."""
    return filled(value, {"defaultMode": FILE_MODE})


def _downward(value: Obj) -> Obj:
    """Default the mode and the references of downward files."""
    from kctl.api.defaults.pods import each, reference

    items = value.get("items")
    done = each(items, reference)
    if done is not items:
        value = {**value, "items": done}
    return _mode(value)


def _projected(value: Obj) -> Obj:
    """Default the mode, token lifetimes and downward references of projected files."""
    from kctl.api.defaults.pods import each

    sources = value.get("sources")
    done = each(sources, _projection)
    if done is not sources:
        value = {**value, "sources": done}
    return _mode(value)


def _projection(value: Obj) -> Obj:
    """Default one source of projected files."""
    from kctl.api.defaults.pods import each, reference

    token = value.get("serviceAccountToken")
    if token is not None:
        value = {**value, "serviceAccountToken": filled(token, {"expirationSeconds": 3600})}
    downward = value.get("downwardAPI")
    if downward is not None:
        items = downward.get("items")
        done = each(items, reference)
        if done is not items:
            value = {**value, "downwardAPI": {**downward, "items": done}}
    return value


def _host_path(value: Obj) -> Obj:
    """Default the type of a host path: none, which is written out."""
    return filled(value, {"type": ""}) if value.get("type") is None else value


def _ephemeral(value: Obj) -> Obj:
    """Default the claim a volume brings with it."""
    from kctl.api.defaults.storage import claim_spec

    template = value.get("volumeClaimTemplate")
    if template is None:
        return value
    return {
        **value,
        "volumeClaimTemplate": {"metadata": {}, **template, "spec": claim_spec(template.get("spec") or {})},
    }


def _image(value: Obj) -> Obj:
    """Default when an image volume is pulled."""
    from kctl.api.defaults.pods import pull_policy

    if value.get("pullPolicy"):
        return value
    return {**value, "pullPolicy": pull_policy(value.get("reference") or "")}


def _iscsi(value: Obj) -> Obj:
    """Default the interface of iSCSI."""
    return filled(value, {"iscsiInterface": "default"})


def _empty_dir(value: Obj) -> Obj:
    """Write the size limit in canonical form."""
    limit: Any = value.get("sizeLimit")
    if limit is None:
        return value
    from kctl.api import quantity

    text = quantity.canonical(str(limit))
    return value if text == limit else {**value, "sizeLimit": text}


def _with(defaults: Obj) -> Callable[[Obj], Obj]:
    """Return the rule that fills in these defaults."""
    return lambda value: filled(value, defaults)


SOURCES: dict[str, Callable[[Obj], Obj]] = {
    "azureDisk": _with(AZURE_DISK),
    "configMap": _mode,
    "downwardAPI": _downward,
    "emptyDir": _empty_dir,
    "ephemeral": _ephemeral,
    "hostPath": _host_path,
    "image": _image,
    "iscsi": _iscsi,
    "projected": _projected,
    "rbd": _with(RBD),
    "scaleIO": _with(SCALE_IO),
    "secret": _mode,
}
PERSISTENT: dict[str, Callable[[Obj], Obj]] = {
    "azureDisk": _with(AZURE_DISK),
    "hostPath": _host_path,
    "iscsi": _iscsi,
    "rbd": _with(RBD),
    "scaleIO": _with(SCALE_IO),
}
