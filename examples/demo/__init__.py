"""``make demo``: two trainings, one bridge, one stand-in plugin, heard and drawn."""
