"""The replicated log: revisions, history, watch."""
