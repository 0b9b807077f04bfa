"""What connects HotReload to training loops of others; each module is imported on its own."""
