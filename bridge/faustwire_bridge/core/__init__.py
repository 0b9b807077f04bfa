"""Every decision of the bridge, pure: events and a ``now`` go in, instructions come out."""
