"""``faustwire doctor``: checks all that a bridge and its workers need."""
