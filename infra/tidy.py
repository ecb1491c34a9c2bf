"""House rules that no linter knows: `python -m infra.tidy` finds files that grew too long and links that lead nowhere."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

MOST_LINES = 300
LINK = re.compile(r"\[[^\]\[]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def main() -> int:
    """Check the files that git knows or would take. Returns 1 after naming what is wrong."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git there is
        check=True,
        capture_output=True,
        text=True,
    )
    files = [path for path in map(Path, listing.stdout.splitlines()) if path.is_file()]
    problems = [*too_long(files), *dead_links(files)]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def too_long(files: Iterable[Path]) -> Iterator[str]:
    """Yield a sentence for each file of Python that is too long to be one thing; generated ones and tests may be."""
    for path in files:
        if path.suffix == ".py" and path.parts[0] not in {"gen", "tests"}:
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > MOST_LINES:
                yield f"{path}: {count} lines, at most {MOST_LINES}: split it"


def dead_links(files: Iterable[Path]) -> Iterator[str]:
    """Yield a sentence for each relative link in a Markdown file whose file or heading does not exist."""
    for path in files:
        if path.suffix != ".md":
            continue
        for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, fragment = unquote(target).partition("#")
            file = path.parent / name if name else path
            if not file.exists():
                yield f"{path}: there is no {target}"
            elif fragment and file.suffix == ".md" and fragment not in headings(file.read_text(encoding="utf-8")):
                yield f"{path}: {name or 'this page'} has no heading #{fragment}"


def headings(text: str) -> set[str]:
    """Return the anchors that a page's headings get, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(CODE.sub(lambda code: code[0].strip("`") if "\n" not in code[0] else "", text)):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 1
        while anchor in found:
            anchor = f"{anchor.removesuffix(f'-{number - 1}')}-{number}"
            number += 1
        found.add(anchor)
    return found


if __name__ == "__main__":
    sys.exit(main())
