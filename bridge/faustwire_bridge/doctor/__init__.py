"""``faustwire doctor``: is all that a bridge and its workers need as it should be?"""
