"""PodTopologyLabels: a bound pod carries its node's zone and region.

The plugin acts on the Binding, so the work is done where bindings are
(:func:`kctl.apiserver.binding.topology`); a pod created with a node gets no labels, as upstream.
"""

from __future__ import annotations
