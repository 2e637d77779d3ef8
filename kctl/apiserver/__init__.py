"""The only door to the store: authenticate, admit, validate, write, watch."""
