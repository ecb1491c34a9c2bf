"""The page's files as answers: kinds, caching, packing, and nothing else of the disk."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from edge.figures import Figures
from edge.server import Door
from edge.static import FOLDER, PREFIX, Page
from runtime.auth import TokenVerifier

PAGE = Page.load()
OWN = [path for path in sorted(FOLDER.rglob("*.js")) if "vendor" not in path.parts]


def ask(path: str, method: str = "GET", **headers: str) -> Response:
    given = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    answer = PAGE.answer(Request(path, given, method))
    assert answer is not None
    return answer


def test_the_root_is_the_page_itself_under_a_strict_policy() -> None:
    answer = ask("/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == (FOLDER / "index.html").read_bytes()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("look.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/uplot-1.6.32/LICENSE", "text/plain; charset=utf-8"),
    ],
)
def test_every_file_says_its_kind(path: str, kind: str) -> None:
    assert ask(PREFIX + path).headers["Content-Type"] == kind


def test_a_browser_that_has_the_file_gets_no_body_again() -> None:
    first = ask("/page/app.js")
    again = ask("/page/app.js", If_None_Match=f'"other", W/{first.headers["ETag"]}')

    assert (again.status_code, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert ask("/page/app.js", If_None_Match='"other"').status_code == 200


def test_a_file_is_packed_for_who_takes_it_under_an_etag_of_its_own() -> None:
    plain, packed = ask("/page/app.js"), ask("/page/app.js", Accept_Encoding="br, gzip;q=0.8")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Content-Encoding" not in ask("/page/app.js", Accept_Encoding="gzip;q=0").headers


def test_head_tells_all_but_the_body() -> None:
    full, head = ask("/page/app.js"), ask("/page/app.js", "HEAD")

    assert head.body == b""
    assert dict(head.headers.raw_items()) == dict(full.headers.raw_items())


def test_only_what_has_its_version_in_its_address_is_kept_unasked() -> None:
    assert "immutable" in ask("/page/vendor/uplot-1.6.32/uPlot.esm.js").headers["Cache-Control"]
    assert ask("/").headers["Cache-Control"] == "no-cache"


def test_another_method_is_told_which_ones_there_are() -> None:
    answer = ask("/", "POST")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/page/", "/page/../settings.py", "/page/%2e%2e/settings.py", "/index.html", "//", ""]
)
def test_nothing_else_of_the_disk_has_an_address(path: str) -> None:
    assert PAGE.answer(Request(path, Headers())) is None


def test_all_that_the_page_names_is_there_and_every_module_is_named() -> None:
    named = set(re.findall(r'(?:href|src)="(/page/[^"]+)"', (FOLDER / "index.html").read_text()))

    assert named <= set(PAGE)
    assert {path for path in PAGE if path.endswith(".js")} == {path for path in named if path.endswith(".js")}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_what_was_heard_never_becomes_markup(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text())


@pytest.mark.parametrize(("page", "status"), [(PAGE, 200), (None, 404)])
async def test_the_page_can_be_switched_off(page: Page | None, status: int) -> None:
    nobody: Any = None
    verifier = TokenVerifier(secret="a secret of at least thirty-two bytes", issuer="", audience="")
    figures = Figures(CollectorRegistry())
    door = Door(nobody, verifier, nobody, nobody, figures, neighbours=dict, feed_age_ms=lambda: 0, page=page)

    answer = await door.look(nobody, Request("/", Headers()))

    assert answer is not None
    assert answer.status_code == status
