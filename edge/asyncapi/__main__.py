"""python -m edge.asyncapi: write docs/asyncapi.yaml anew; with --check say whether it is what would be written."""

import sys
from pathlib import Path

from edge.asyncapi.document import text

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"

if __name__ == "__main__":
    made = text()
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text(encoding="utf-8") != made:
            sys.exit(f"{FILE.name} is not what the edge serves: run python -m edge.asyncapi")
    else:
        FILE.write_text(made, encoding="utf-8")
