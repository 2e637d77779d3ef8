"""Defaults of claims, persistent volumes and storage classes."""

from __future__ import annotations

from kctl.api.defaults import volumes
from kctl.api.defaults.pods import amounts, requirements
from kctl.api.objects import Obj


def claim_spec(spec: Obj) -> Obj:
    """Default a claim: a file system, as SetDefaults_PersistentVolumeClaimSpec."""
    out = {**spec, "resources": requirements(spec.get("resources") or {})}
    if out.get("volumeMode") is None:
        out["volumeMode"] = "Filesystem"
    for name in ("dataSource", "dataSourceRef"):
        if out.get(name) is not None and "apiGroup" not in out[name]:
            out[name] = {"apiGroup": None, **out[name]}
    return out


def claim(obj: Obj) -> Obj:
    """Default a PersistentVolumeClaim."""
    return {
        **obj,
        "spec": claim_spec(obj.get("spec") or {}),
        "status": volumes.filled(obj.get("status") or {}, {"phase": "Pending"}),
    }


def volume(obj: Obj) -> Obj:
    """Default a PersistentVolume: kept when released, a file system."""
    spec = volumes.source(obj.get("spec") or {})
    spec = volumes.filled(spec, {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"})
    azure = spec.get("azureFile")
    if azure is not None and "secretNamespace" not in azure:
        spec = {**spec, "azureFile": {**azure, "secretNamespace": None}}
    capacity = spec.get("capacity")
    if capacity:
        spec = {**spec, "capacity": amounts(capacity)}
    return {**obj, "spec": spec, "status": volumes.filled(obj.get("status") or {}, {"phase": "Pending"})}


def storage_class(obj: Obj) -> Obj:
    """Default a StorageClass: deleted with the claim, bound at once."""
    return volumes.filled(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def csi_driver(obj: Obj) -> Obj:
    """Default a CSIDriver."""
    spec = obj.get("spec") or {}
    defaults: Obj = {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "requiresRepublish": False,
        "seLinuxMount": False,
    }
    if not spec.get("volumeLifecycleModes"):
        defaults["volumeLifecycleModes"] = ["Persistent"]
    return {
        **obj,
        "spec": volumes.filled({**spec, **{k: v for k, v in defaults.items() if spec.get(k) in (None, [])}}, {}),
    }
