"""Sweeps that can be heard: one configuration each with torchrun, or all of them with Ray Tune."""
