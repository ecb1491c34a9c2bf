"""A process's certificate, its key and the authorities that it trusts, read from files. The one module that opens them."""

import ssl
from dataclasses import dataclass
from pathlib import Path

LONGEST_FILE_BYTES = 1 << 20


class TlsError(Exception):
    """A certificate file is missing or is not what it should be. The text names the setting and the path, never what is inside."""


@dataclass(frozen=True, slots=True)
class Pems:
    """What gRPC wants: PEM text. `ca` is None where the machine's own authorities count, key and chain where there is none."""

    key: bytes | None
    chain: bytes | None
    ca: bytes | None


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files, each empty when it is not given: own certificate (with its chain), its key, trusted authorities."""

    certificate: str = ""
    key: str = ""
    ca: str = ""

    def pems(self) -> Pems:
        """Return the files' text. Raises TlsError, also for a key that does not belong to the certificate."""
        self.context()
        return Pems(
            key=_read("TLS_KEY", self.key) if self.key else None,
            chain=_read("TLS_CERT", self.certificate) if self.certificate else None,
            ca=_read("TLS_CA", self.ca) if self.ca else None,
        )

    def context(self) -> ssl.SSLContext:
        """Return how to call others: their certificate and name are checked, our own certificate is shown. Raises TlsError."""
        for setting, path in (("TLS_CA", self.ca), ("TLS_CERT", self.certificate), ("TLS_KEY", self.key)):
            if path:
                _read(setting, path)
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except ssl.SSLError:
            raise TlsError(f"TLS_CA: {self.ca} holds no certificate in PEM form") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            try:
                # An empty password: a locked key is refused instead of asked for on the terminal.
                context.load_cert_chain(self.certificate, self.key, password="")
            except (ssl.SSLError, ValueError):
                raise TlsError(
                    f"TLS_CERT, TLS_KEY: {self.certificate} and {self.key} are no certificate and its key in PEM form, "
                    "or the key is locked by a password"
                ) from None
        return context

    def stamp(self) -> tuple[int, ...]:
        """Return a mark that changes when a file does. Raises TlsError when one is gone."""
        try:
            return tuple(Path(path).stat().st_mtime_ns for path in (self.certificate, self.key, self.ca) if path)
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from None


def _read(setting: str, path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise TlsError(f"{setting}: cannot read {path}: {error.strerror}") from None
    if len(content) > LONGEST_FILE_BYTES or b"-----BEGIN " not in content:
        raise TlsError(f"{setting}: {path} is no PEM file")
    return content
