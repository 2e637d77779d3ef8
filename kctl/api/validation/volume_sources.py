"""Validation of what a PersistentVolume is made of.

In comes the volume's spec; complaints are appended as ValidatePersistentVolumeSpec (core
validation) orders its sources. Those that pods have too are in :mod:`kctl.api.validation.volumes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, volumes
from kctl.api.validation.containers import no_backsteps
from kctl.api.validation.meta import Errors, formatted

NAMES = {
    "iqn": r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$",
    "eui": r"eui\.[A-Za-z0-9]{16}$",
    "naa": r"naa\.[A-Za-z0-9]{32}$",
}
"""The names of iSCSI initiators, by their type."""
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


def _iscsi(value: Obj, at: str, out: Errors) -> None:
    """Check an iSCSI target."""
    if not value.get("targetPortal"):
        out.append(errors.required(f"{at}.targetPortal"))
    iqn = value.get("iqn") or ""
    if not iqn:
        out.append(errors.required(f"{at}.iqn"))
    else:
        _initiator(iqn, f"{at}.iqn", out)
    lun = value.get("lun") or 0
    if not 0 <= lun <= 255:
        out.append(errors.invalid(f"{at}.lun", lun, formats.in_range(0, 255)))
    secret = value.get("secretRef")
    if (value.get("chapAuthDiscovery") or value.get("chapAuthSession")) and secret is None:
        out.append(errors.required(f"{at}.secretRef"))
    if secret is not None and not secret.get("name"):
        out.append(errors.required(f"{at}.secretRef.name"))
    if value.get("initiatorName") is not None:
        _initiator(value["initiatorName"], f"{at}.initiatorname", out)


def _initiator(name: str, at: str, out: Errors) -> None:
    """Check the name of an iSCSI node."""
    pattern = NAMES.get(name[:3])
    if pattern is None or not re.match(pattern, name):
        out.append(errors.invalid(at, name, "must be valid format"))


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
        for field in ("name", "namespace"):
            if not secret.get(field):
                out.append(errors.required(f"{at}.{name}.{field}"))


def _azure_file(value: Obj, at: str, out: Errors) -> None:
    """Check an Azure share."""
    for name in ("secretName", "shareName"):
        if not value.get(name):
            out.append(errors.required(f"{at}.{name}"))
    if value.get("secretNamespace") == "":
        out.append(errors.required(f"{at}.secretNamespace"))


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
OWN: dict[str, Callable[[Obj, str, Errors], None]] = {
    "iscsi": _iscsi,
    "azureFile": _azure_file,
    "local": _local,
    "csi": _csi,
}
RULES: dict[str, Callable[[Obj, str, Errors], None]] = {name: OWN.get(name) or volumes.RULES[name] for name in ORDER}
"""The rule of each source, in the order upstream looks for them."""
