"""Copies of what the services keep in MongoDB, and the way back: `python -m infra.data backup` and `restore`."""
