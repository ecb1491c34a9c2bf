"""The whole system loses all that it keeps and goes on from a backup: `python -m pytest tests/recovery`, half a minute."""
