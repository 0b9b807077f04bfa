"""What ``faustwire status``, ``watch`` and ``follow`` share: reach a bridge, see it, steer it."""
