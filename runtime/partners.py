"""Partners that come by certificate: a file says which certificate is whose, for which accounts, and what it may do."""

import time
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509

from runtime import logs
from runtime.principal import Principal

LOOK_SECONDS = 1.0
SPIFFE = "spiffe://"
COMMON_NAME = "CN="
# Certificates remembered at most; then all are read once more.
KNOWN_CERTIFICATES = 10_000

logger = logs.get_logger("runtime.partners")


class PartnersError(Exception):
    """The file of partners is missing or wrong; the text says where."""


class Partner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One partner: its certificate's SPIFFE id ("spiffe://…") or common name ("CN=…"), its accounts, what it may do."""

    certificate: str
    accounts: tuple[str, ...]
    scopes: tuple[Literal["read", "trade", "admin"], ...]


class PartnerFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: partners by name."""

    partners: dict[str, Partner]


def partners_from(content: bytes, *, is_json: bool) -> dict[str, Principal]:
    """Return whom each certificate name stands for. Raises PartnersError."""
    try:
        decode = msgspec.json.decode if is_json else msgspec.toml.decode
        listed = decode(content, type=PartnerFile).partners
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PartnersError(str(error)) from None
    found: dict[str, Principal] = {}
    for name, partner in listed.items():
        certificate = partner.certificate
        if not certificate.startswith((SPIFFE, COMMON_NAME)) or certificate in {SPIFFE, COMMON_NAME}:
            raise PartnersError(f"{name}: the certificate is named {SPIFFE}… or {COMMON_NAME}…")
        if certificate in found:
            raise PartnersError(f"{name}: two partners have the certificate {certificate}")
        if not all(partner.accounts):
            raise PartnersError(f"{name}: an account without a name")
        found[certificate] = Principal(f"partner:{name}", partner.accounts, frozenset(partner.scopes), 0, "")
    return found


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the names that a certificate can be listed by: its SPIFFE id if it has one, else its common name.

    A certificate with several SPIFFE ids has none that counts (SPIFFE X509-SVID §2).
    """
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = alternative.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    ids = [uri for uri in uris if uri.startswith(SPIFFE)]
    if ids:
        return ids if len(ids) == 1 else []
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [f"{COMMON_NAME}{common[0].value!s}"] if len(common) == 1 else []


class Partners:
    """The partners of a file, which is read again when it changes; a wrong new one leaves the old in force and is told."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._known: dict[bytes, Principal] = {}
        self._looked_at = time.monotonic()
        self._stamp = 0
        self._partners = self._read()

    def principal(self, pem: bytes) -> Principal | None:
        """Return whom a certificate that gRPC has checked stands for; None when it is nobody's or over."""
        self._look()
        principal = self._known.get(pem)
        if principal is None:
            principal = self._recognise(pem)
            if principal is None:
                return None
            if len(self._known) >= KNOWN_CERTIFICATES:
                self._known.clear()
            self._known[pem] = principal
        # A connection may be older than its certificate's end.
        return principal if time.time() < principal.expires_at else None

    def _recognise(self, pem: bytes) -> Principal | None:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            names = names_of(certificate)
        except ValueError:
            return None
        for name in names:
            if (partner := self._partners.get(name)) is not None:
                expiry = int(certificate.not_valid_after_utc.timestamp())
                return Principal(partner.subject, partner.accounts, partner.scopes, expiry, "")
        return None

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            if self._path.stat().st_mtime_ns == self._stamp:
                return
            self._partners = self._read()
        except (OSError, PartnersError) as error:
            logger.error("partners not read, the last ones count", error=str(error))
            return
        self._known.clear()
        logger.info("partners read", count=len(self._partners))

    def _read(self) -> dict[str, Principal]:
        try:
            self._stamp = self._path.stat().st_mtime_ns
            content = self._path.read_bytes()
        except OSError as error:
            raise PartnersError(f"PARTNERS_FILE: cannot read {self._path}: {error.strerror}") from None
        try:
            return partners_from(content, is_json=self._path.suffix == ".json")
        except PartnersError as error:
            raise PartnersError(f"PARTNERS_FILE: {self._path}: {error}") from None


def open_partners(path: str) -> Partners | None:
    """Return the partners of a file; None when there is no such setting. Raises PartnersError."""
    return Partners(path) if path else None
