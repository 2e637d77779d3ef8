"""kctl: a Kubernetes control plane in a folder."""

__version__ = "0.1.0"
