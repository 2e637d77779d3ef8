"""What a plugin says of itself to the kernel: what its answers depend on, as data.

A plugin's ``shape`` has a word for its filter and one for its score. The kernel has one way to keep answers of each
word true while pods come and go; a plugin without a shape is asked each time, unless it steps aside for a
pod in PreFilter.
"""

from __future__ import annotations

from typing import NamedTuple

TAINTS = "taints"
"""On the node's taints and whether it is cordoned (a score is normalised)."""
LABELS = "labels"
"""On the node's name and labels (a score is normalised)."""
ROOM = "room"
"""On what the pod asks for and what the node's pods leave of it: NodeResourcesFit with LeastAllocated of cpu and memory."""
BALANCE = "balance"
"""On the same, as NodeResourcesBalancedAllocation of cpu and memory."""
PODS = "pods"
"""On the node alone: asked again when the node's pods change."""
IMAGES = "images"
"""On the node's images: 0 while no node reports any."""
SPREAD = "spread"
"""On the numbers of matching pods by topology value."""
TERMS = "terms"
"""On the terms of pods about each other, by topology value."""
ZERO = "zero"
"""On nothing: the score is 0 for every node."""


class Shape(NamedTuple):
    """What answers depend on, a word each; "" where the plugin has no say."""

    filters: str = ""
    scores: str = ""
