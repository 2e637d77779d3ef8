"""Manifests in: YAML, directories, git commits, intents, ordering, hooks."""
