"""ImageLocality: nodes that already have the pod's images are better, the larger the images."""

from __future__ import annotations

from kctl.scheduler.extension import MAX_SCORE, Cycle
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import IMAGES, Shape

MIB = 1024 * 1024
MIN_THRESHOLD = 23 * MIB
MAX_CONTAINER_THRESHOLD = 1000 * MIB


class ImageLocality:
    """Scores by the size of images present, scaled by how many nodes have them."""

    name = "ImageLocality"
    shape = Shape(scores=IMAGES)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Add the scaled sizes of the pod's images on the node and bring them into 0..100."""
        known = node.images
        if not known:
            return 0
        images = cycle.pod.images
        total = len(cycle.cluster.tree)
        present = 0
        for name in images.names:
            image = known.get(name)
            if image is not None:
                size, nodes = image
                present += int(size * (nodes / total))  # the quotient is a float first, as in scaledImageScore
        if present <= MIN_THRESHOLD:
            return 0
        most = MAX_CONTAINER_THRESHOLD * images.containers  # images of volumes raise the sum only, in 1.36
        return MAX_SCORE * (min(present, most) - MIN_THRESHOLD) // (most - MIN_THRESHOLD)
