"""Certificates for development: an authority of one's own, and what it issues to services, servers and partners."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# Certificates begin a little in the past, as clocks differ.
EARLIER = timedelta(minutes=5)
HERE = ("localhost", "127.0.0.1", "::1")
TRUST_DOMAIN = "spiffe://stockmesh"


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, both as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """An authority (ECDSA P-256) that lives as long as this object; its own key is in `issued`."""

    def __init__(self, *, days: int) -> None:
        self._days = days
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = _name("stockmesh development authority")
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        self._certificate = (
            self._draft(name, self._key.public_key(), issuer=name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.issued = _issued(self._certificate, self._key)

    def for_service(self, name: str, hosts: Sequence[str] = HERE) -> Issued:
        """Return a certificate to serve at these hosts with, and to call others with."""
        names = [x509.UniformResourceIdentifier(f"{TRUST_DOMAIN}/service/{name}"), *map(_host, hosts)]
        return self._issue(name, names, [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])

    def for_partner(self, name: str) -> Issued:
        """Return a certificate that a partner calls us with."""
        names = [x509.UniformResourceIdentifier(spiffe_id(name))]
        return self._issue(name, names, [ExtendedKeyUsageOID.CLIENT_AUTH])

    def _issue(self, name: str, names: Sequence[x509.GeneralName], uses: Sequence[x509.ObjectIdentifier]) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._draft(_name(name), key.public_key(), issuer=self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return _issued(certificate, key)

    def _draft(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - EARLIER)
            .not_valid_after(now + timedelta(days=self._days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def spiffe_id(partner: str) -> str:
    """Return the name by which a partner's certificate is listed in PARTNERS_FILE."""
    return f"{TRUST_DOMAIN}/partner/{partner}"


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _issued(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def write(folder: Path, name: str, issued: Issued) -> None:
    """Write `<name>.pem` and `<name>.key`, the key for its owner alone. Raises FileExistsError rather than replace one."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content, mode in (
        (folder / f"{name}.key", issued.key, 0o600),
        (folder / f"{name}.pem", issued.certificate, 0o644),
    ):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
