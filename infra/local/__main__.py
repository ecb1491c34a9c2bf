"""python -m infra.local."""

import sys

from infra.local.main import main

if __name__ == "__main__":
    sys.exit(main())
