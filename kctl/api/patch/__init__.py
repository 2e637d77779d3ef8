"""The ways to change an object: merge patch, JSON patch, strategic merge patch, server-side apply."""
