"""Clients that mean harm, against a real edge; `python -m pytest tests/abuse` runs it."""
