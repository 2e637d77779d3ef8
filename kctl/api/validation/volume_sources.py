"""Validation of what a PersistentVolume is made of.

In comes the volume's spec; complaints are appended as ValidatePersistentVolumeSpec (core
validation) orders its sources. Those that pods have too are in :mod:`kctl.api.validation.volumes`.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, tree_volumes, volumes
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.mounted_paths import no_backsteps
from kctl.api.validation.tree_volumes import Rule

MAX_DRIVER = 63
CSI_SECRETS = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")


def source(spec: Obj, at: str, out: Errors) -> None:
    """Check that a volume has one source, and that one."""
    given = [name for name in RULES if spec.get(name) is not None]
    for n, name in enumerate(given):
        if n:
            out.append(errors.forbidden_field(f"{at}.{name}", volumes.MORE_THAN_ONE))
            continue
        RULES[name](spec[name], f"{at}.{name}", out)
    if "local" in given[:1] and spec.get("nodeAffinity") is None:
        out.append(errors.required(f"{at}.nodeAffinity", "Local volume requires node affinity"))
    if not given:
        out.append(errors.required(at, "must specify a volume type"))


def driver_name(name: str, at: str, out: Errors) -> None:
    """Check the name of a CSI driver, as ValidateCSIDriverName."""
    if not name:
        out.append(errors.required(at))
    if formats.size(name) > MAX_DRIVER:
        out.append(errors.too_long(at, name, MAX_DRIVER))
    elif name:
        formatted(formats.dns_subdomain, name.lower(), at, out)


def _local(value: Obj, at: str, out: Errors) -> None:
    """Check a path of one node."""
    path = value.get("path") or ""
    if not path:
        out.append(errors.required(f"{at}.path"))
        return
    no_backsteps(path, f"{at}.path", out)


def _csi(value: Obj, at: str, out: Errors) -> None:
    """Check a volume of a CSI driver."""
    driver_name(value.get("driver") or "", f"{at}.driver", out)
    if not value.get("volumeHandle"):
        out.append(errors.required(f"{at}.volumeHandle"))
    for name in CSI_SECRETS:
        secret = value.get(name)
        if secret is None:
            continue
        for field, form in (("name", formats.dns_subdomain), ("namespace", formats.dns_label)):
            if not secret.get(field):
                out.append(errors.required(f"{at}.{name}.{field}"))
            else:
                formatted(form, secret[field], f"{at}.{name}.{field}", out)


ORDER = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
OWN: dict[str, Rule] = {**tree_volumes.OF_VOLUMES, "hostPath": volumes.host_path, "local": _local, "csi": _csi}
RULES: dict[str, Rule] = {name: OWN[name] for name in ORDER}
"""The rule of each source, in the order upstream looks for them."""
