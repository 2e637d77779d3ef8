"""The composition root: ControlPlane puts the rooms together."""
