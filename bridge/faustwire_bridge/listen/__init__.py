"""Hearing a model in a browser: the page, and what it is sent."""
