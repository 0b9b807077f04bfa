"""What a model will sound like, computed from its graph: stability, decay, peak gain."""
