"""Simulated node agents: pod lifecycle, node status."""
