"""The web page: its files, read once at start, and the answers that bring them to a browser. Pure but for that reading."""

import gzip
import hashlib
import http
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

FOLDER = Path(__file__).with_name("page")
# Every address of the page but its root begins so: REST owns the others, and may get more.
PREFIX = "/page/"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
# A folder in vendor/ carries the version in its name, so what lies there never changes; the rest is asked about each time.
FOR_EVER, ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"
# 'self' covers the socket of the same host, too. Nothing is loaded from elsewhere, and no text ever becomes markup.
POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"),
    )
)
SAFETY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent, plain and packed; each way has an ETag of its own."""

    content: bytes
    packed: bytes
    content_type: str
    cache_control: str
    etag: str

    @classmethod
    def read(cls, path: Path, *, is_vendored: bool) -> "File":
        """Read a file. Raises KeyError for a kind of file that no page has."""
        content = path.read_bytes()
        return cls(
            content=content,
            packed=gzip.compress(content, mtime=0),
            content_type=CONTENT_TYPES[path.suffix],
            cache_control=FOR_EVER if is_vendored else ASK_EACH_TIME,
            etag=hashlib.sha256(content).hexdigest()[:20],
        )


class Page:
    """The files by their address."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = files

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Page":
        """Read all files of the folder; index.html is the root."""
        vendored = folder / "vendor"
        files = {
            PREFIX + path.relative_to(folder).as_posix(): File.read(path, is_vendored=vendored in path.parents)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        return cls({**files, "/": files.pop(f"{PREFIX}index.html")})

    def __iter__(self) -> Iterator[str]:
        """Give every address."""
        return iter(self._files)

    def answer(self, request: Request) -> Response | None:
        """Answer with the file that is asked for; None when the page has none at this address."""
        file = self._files.get(request.path.partition("?")[0])
        if file is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return _response(http.HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET, HEAD", "Content-Length": "0"})
        is_packed = _takes_gzip(request.headers)
        etag = f'"{file.etag}-gzip"' if is_packed else f'"{file.etag}"'
        told = {"ETag": etag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding", **SAFETY}
        if _knows(request.headers, etag):
            return _response(http.HTTPStatus.NOT_MODIFIED, told)
        content = file.packed if is_packed else file.content
        told |= {"Content-Type": file.content_type, "Content-Length": str(len(content))}
        if is_packed:
            told["Content-Encoding"] = "gzip"
        return _response(http.HTTPStatus.OK, told, b"" if request.method == "HEAD" else content)


def _takes_gzip(headers: Headers) -> bool:
    codings = ",".join(headers.get_all("Accept-Encoding")).replace(" ", "").lower().split(",")
    return any(re.fullmatch(r"gzip(;q=(1(\.0*)?|0?\.0*[1-9]\d*))?", coding) for coding in codings)


def _knows(headers: Headers, etag: str) -> bool:
    """Tell whether the browser has this very content already."""
    known = (tag.strip() for tag in ",".join(headers.get_all("If-None-Match")).split(","))
    return any(tag.removeprefix("W/") == etag or tag == "*" for tag in known)


def _response(status: http.HTTPStatus, told: Mapping[str, str], body: bytes = b"") -> Response:
    return Response(status.value, status.phrase, Headers([*told.items(), ("Connection", "close")]), body)
