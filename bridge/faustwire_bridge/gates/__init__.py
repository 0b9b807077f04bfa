"""Nothing that harms the plugin or the ears is ever written; see ``docs/gates.md``."""
