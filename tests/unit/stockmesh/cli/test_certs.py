"""`stockmesh certs`: an authority and what it issues, written once, keys for their owner alone."""

import ipaddress
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from typer.testing import CliRunner

from runtime.partners import Partners
from runtime.tls import Tls
from stockmesh.cli.app import app
from stockmesh.cli.certs import SERVICES


def made(folder: Path, *options: str) -> int:
    return CliRunner().invoke(app, ["certs", "--out", str(folder), *options]).exit_code


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certs") / "made"
    assert made(path, "--partner", "acme", "--host", "10.0.0.7", "--host", "orders.example") == 0
    return path


def test_keys_are_their_owners_alone(folder: Path) -> None:
    keys = list(folder.glob("*.key"))

    assert len(keys) == len(SERVICES) + 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "10.0.0.7", "orders.example"])
def test_a_service_is_trusted_under_its_names(folder: Path, name: str) -> None:
    found = certificate(folder, "order_svc")
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    store = verification.Store([certificate(folder, "ca")])

    verification.PolicyBuilder().store(store).time(datetime.now(UTC)).build_server_verifier(subject).verify(found, [])

    key = found.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_every_certificate_fits_its_key_and_can_be_used(folder: Path) -> None:
    for name in (*SERVICES, "partner-acme"):
        assert Tls(f"{folder}/{name}.pem", f"{folder}/{name}.key", f"{folder}/ca.pem").pems().key


def test_the_partner_is_listed_under_its_certificate(folder: Path) -> None:
    principal = Partners(f"{folder}/partners.toml").principal((folder / "partner-acme.pem").read_bytes())

    assert principal is not None
    assert (principal.subject, principal.accounts) == ("partner:acme", ("acme",))


def test_nothing_is_replaced(folder: Path) -> None:
    before = (folder / "ca.key").read_bytes()

    assert made(folder) == 2
    assert (folder / "ca.key").read_bytes() == before


@pytest.mark.parametrize("partner", ["../ca", "a b", "", "é"])
def test_a_partner_with_a_name_that_is_no_file_name_is_refused(tmp_path: Path, partner: str) -> None:
    assert made(tmp_path / "new", "--partner", partner) == 2
    assert not (tmp_path / "new").exists()
