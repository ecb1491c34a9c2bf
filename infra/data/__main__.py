"""python -m infra.data."""

import sys

from infra.data.main import main

if __name__ == "__main__":
    sys.exit(main())
