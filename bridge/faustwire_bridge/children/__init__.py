"""Processes of the bridge's own that may abort, hang or run out of memory without harming it."""
