"""The bridge's loop and what it owns: sockets, authenticator, files, lock, log, limits."""
