"""Recordings on the bridge's side: written, decided again, summarised, plotted, rendered."""
