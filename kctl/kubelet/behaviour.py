"""What the kubelets ask about a world that misbehaves; the values are in :mod:`kctl.api.behaviour`.

:class:`Behaviours` is the protocol (``image(image, node)``, ``pod(pod)``, ``node(node, now)``), its
answers are :class:`Pulling`, :class:`PodBehaviour` with a :class:`ContainerBehaviour` for each
container (``Ending`` for one that ends by itself) and :class:`NodeBehaviour`. Who has a source of
such answers gives it to ``kctl.kubelet.build(profile, behaviours=...)``; annotations
(:class:`Annotated`) go on top of it. Their names are in :mod:`kctl.api.behaviour`.
"""

from __future__ import annotations

from kctl.api.behaviour import (
    DEFAULT,
    HEALTHY,
    ON_DEMAND,
    Annotated,
    Behaviours,
    ContainerBehaviour,
    Ending,
    NodeBehaviour,
    PodBehaviour,
    Pulling,
    Works,
)

__all__ = [
    "DEFAULT",
    "HEALTHY",
    "ON_DEMAND",
    "Annotated",
    "Behaviours",
    "ContainerBehaviour",
    "Ending",
    "NodeBehaviour",
    "PodBehaviour",
    "Pulling",
    "Works",
]
