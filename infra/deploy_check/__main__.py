"""Runs the check: `python -m infra.deploy_check`."""

import sys

from infra.deploy_check.main import main

if __name__ == "__main__":
    sys.exit(main())
