"""These tests are long and run only when they are asked for by name."""

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let pass what a check of readiness leaves behind that is canceled while it connects to a server that was just killed."""
    if _asked(config):
        config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless the command line names it."""
    return None if _asked(config) or collection_path.is_dir() else True


def _asked(config: pytest.Config) -> bool:
    return any("recovery" in argument for argument in config.args)
