"""What would happen and why: layers, verdicts, blockers."""
