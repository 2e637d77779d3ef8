"""Rows of volumes, of claims to them and of what provides them."""

from __future__ import annotations

from kctl.api.objects import Obj, annotations_of, dig
from kctl.api.printers import AGE, NAME, Cell, Printer, age, columns, joined, name, row, spec_of, status_of

MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
DEFAULT_ANNOTATIONS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
DEFAULT_ATTRIBUTES_ANNOTATION = "volumeattributesclass.alpha.kubernetes.io/is-default-class"


def access_modes(modes: list[str] | None) -> str:
    """Return the short forms in upstream's order, each once, as GetAccessModesAsString."""
    return ",".join(short for mode, short in MODES.items() if mode in (modes or ()))


def class_of(obj: Obj) -> str:
    """Return the storage class; the beta annotation wins, as GetPersistentVolumeClass."""
    return str(annotations_of(obj).get(CLASS_ANNOTATION) or spec_of(obj).get("storageClassName") or "")


def _phase(obj: Obj) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(status_of(obj).get("phase", ""))


def _volume(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    ref = spec.get("claimRef")
    return [
        dig(spec, "capacity", "storage", default="0"),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(obj),
        f"{ref.get('namespace', '')}/{ref.get('name', '')}" if ref else "",
        class_of(obj),
        spec.get("volumeAttributesClassName", "<unset>"),
        status_of(obj).get("reason", ""),
    ]


def _volume_mode(obj: Obj) -> list[Cell]:
    return [spec_of(obj).get("volumeMode", "<unset>")]


def _claim(obj: Obj) -> list[Cell]:
    spec, status = spec_of(obj), status_of(obj)
    bound = spec.get("volumeName", "")
    return [
        _phase(obj),
        bound,
        dig(status, "capacity", "storage", default="0") if bound else "",
        access_modes(status.get("accessModes")) if bound else "",
        class_of(obj),
        spec.get("volumeAttributesClassName", "<unset>"),
    ]


def is_default(obj: Obj) -> bool:
    """Return whether a StorageClass is the default one, as IsDefaultAnnotation."""
    notes = annotations_of(obj)
    return any(notes.get(key) == "true" for key in DEFAULT_ANNOTATIONS)


def _storageclass(obj: Obj, now: float) -> list[Cell]:
    return [
        name(obj) + " (default)" * is_default(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _attributesclass(obj: Obj, now: float) -> list[Cell]:
    default = annotations_of(obj).get(DEFAULT_ATTRIBUTES_ANNOTATION) == "true"
    return [name(obj) + " (default)" * default, obj.get("driverName", ""), age(obj, now)]


def _driver(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    requests = spec.get("tokenRequests")
    return [
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        "<unset>" if requests is None else joined((one.get("audience", "") for one in requests), ""),
        spec.get("requiresRepublish", False),
        joined(spec.get("volumeLifecycleModes") or ()),
    ]


def _attachment(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    return [
        spec.get("attacher", ""),
        dig(spec, "source", "persistentVolumeName", default=""),
        spec.get("nodeName", ""),
        bool(status_of(obj).get("attached")),
    ]


ATTACHER = columns("Attacher | @storage.v1.VolumeAttachmentSpec.attacher")[0]._replace(format="name")

PRINTERS = {
    "persistentvolumes": Printer(
        columns(
            NAME,
            "Capacity | @core.v1.PersistentVolumeSpec.capacity",
            "Access Modes | @core.v1.PersistentVolumeSpec.accessModes",
            "Reclaim Policy | @core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy",
            "Status | @core.v1.PersistentVolumeStatus.phase",
            "Claim | @core.v1.PersistentVolumeSpec.claimRef",
            "StorageClass | StorageClass of the pv",
            "VolumeAttributesClass | VolumeAttributesClass of the pv",
            "Reason | @core.v1.PersistentVolumeStatus.reason",
            AGE,
            "VolumeMode/1 | @core.v1.PersistentVolumeSpec.volumeMode",
        ),
        row(_volume, _volume_mode),
    ),
    "persistentvolumeclaims": Printer(
        columns(
            NAME,
            "Status | @core.v1.PersistentVolumeClaimStatus.phase",
            "Volume | @core.v1.PersistentVolumeClaimSpec.volumeName",
            "Capacity | @core.v1.PersistentVolumeClaimStatus.capacity",
            "Access Modes | @core.v1.PersistentVolumeClaimStatus.accessModes",
            "StorageClass | StorageClass of the pvc",
            "VolumeAttributesClass | VolumeAttributesClass of the pvc",
            AGE,
            "VolumeMode/1 | @core.v1.PersistentVolumeClaimSpec.volumeMode",
        ),
        row(_claim, _volume_mode),
    ),
    "storageclasses.storage.k8s.io": Printer(
        columns(
            NAME,
            "Provisioner | @storage.v1.StorageClass.provisioner",
            "ReclaimPolicy | @storage.v1.StorageClass.reclaimPolicy",
            "VolumeBindingMode | @storage.v1.StorageClass.volumeBindingMode",
            "AllowVolumeExpansion | @storage.v1.StorageClass.allowVolumeExpansion",
            AGE,
        ),
        _storageclass,
    ),
    "volumeattributesclasses.storage.k8s.io": Printer(
        columns(NAME, "DriverName | @storage.v1.VolumeAttributesClass.driverName", AGE), _attributesclass
    ),
    "csidrivers.storage.k8s.io": Printer(
        columns(
            NAME,
            "AttachRequired:boolean | @storage.v1.CSIDriverSpec.attachRequired",
            "PodInfoOnMount:boolean | @storage.v1.CSIDriverSpec.podInfoOnMount",
            "StorageCapacity:boolean | @storage.v1.CSIDriverSpec.storageCapacity",
            "TokenRequests | @storage.v1.CSIDriverSpec.tokenRequests",
            "RequiresRepublish:boolean | @storage.v1.CSIDriverSpec.requiresRepublish",
            "Modes | @storage.v1.CSIDriverSpec.volumeLifecycleModes",
            AGE,
        ),
        row(_driver),
    ),
    "csinodes.storage.k8s.io": Printer(
        columns(NAME, "Drivers:integer | Drivers indicates the number of CSI drivers registered on the node", AGE),
        row(lambda obj: [len(spec_of(obj).get("drivers") or ())]),
    ),
    "volumeattachments.storage.k8s.io": Printer(
        columns(
            NAME,
            ATTACHER,
            "PV | @storage.v1.VolumeAttachmentSource.persistentVolumeName",
            "Node | @storage.v1.VolumeAttachmentSpec.nodeName",
            "Attached:boolean | @storage.v1.VolumeAttachmentStatus.attached",
            AGE,
        ),
        row(_attachment),
    ),
}
