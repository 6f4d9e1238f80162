"""Train schemes against the suite's own attacks; built by configuration."""
