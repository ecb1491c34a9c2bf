"""runtime/partners.py: a certificate stands for the partner that the file names, and for nobody else."""

import os
import time
from pathlib import Path

import pytest
from cryptography import x509

from runtime import partners as module
from runtime.partners import Partners, PartnersError, names_of, partners_from
from stockmesh.cli.certificates import Authority, spiffe_id

FILE = """
[partners.acme]
certificate = "spiffe://stockmesh/partner/acme"
accounts = ["acme-1", "acme-2"]
scopes = ["read", "trade"]

[partners.plain]
certificate = "CN=plain.example"
accounts = []
scopes = ["read"]
"""


def test_a_file_lists_certificates_with_accounts_and_scopes() -> None:
    found = partners_from(FILE.encode(), is_json=False)

    acme = found["spiffe://stockmesh/partner/acme"]
    assert (acme.subject, acme.accounts, acme.scopes) == (
        "partner:acme",
        ("acme-1", "acme-2"),
        frozenset({"read", "trade"}),
    )
    assert set(found) == {"spiffe://stockmesh/partner/acme", "CN=plain.example"}


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        '{"partners": {"a": {"certificate": "CN=a", "accounts": ["a"], "scopes": ["root"]}}}',
        '{"partners": {"a": {"certificate": "a", "accounts": ["a"], "scopes": ["read"]}}}',
        '{"partners": {"a": {"certificate": "CN=", "accounts": ["a"], "scopes": ["read"]}}}',
        '{"partners": {"a": {"certificate": "CN=a", "accounts": [""], "scopes": ["read"]}}}',
        '{"partners": {"a": {"certificate": "CN=a", "accounts": "all", "scopes": ["read"]}}}',
        '{"partners": {"a": {"certificate": "CN=a", "accounts": ["a"], "scopes": ["read"], "admin": true}}}',
        '{"partners": {"a": {"certificate": "CN=a", "accounts": [], "scopes": []},'
        ' "b": {"certificate": "CN=a", "accounts": [], "scopes": []}}}',
    ],
)
def test_a_file_with_anything_else_is_refused(content: str) -> None:
    with pytest.raises(PartnersError):
        partners_from(content.encode(), is_json=True)


def test_a_certificate_with_an_id_is_not_known_by_its_common_name() -> None:
    issued = Authority(days=1).for_partner("acme")

    assert names_of(x509.load_pem_x509_certificate(issued.certificate)) == [spiffe_id("acme")]


def test_a_partner_is_recognised_until_the_file_says_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    path, authority = tmp_path / "partners.toml", Authority(days=1)
    path.write_text(FILE)
    known, stranger = authority.for_partner("acme").certificate, authority.for_partner("stranger").certificate
    partners = Partners(str(path))

    principal = partners.principal(known)
    assert principal is not None
    assert (principal.accounts, principal.expires_at > time.time()) == (("acme-1", "acme-2"), True)
    assert partners.principal(stranger) is None
    assert partners.principal(b"no certificate") is None

    path.write_text("broken")
    os.utime(path, ns=(1, 1))
    assert partners.principal(known) == principal

    path.write_text("partners = {}")
    os.utime(path, ns=(2, 2))
    assert partners.principal(known) is None


def test_a_certificate_that_is_over_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(FILE)
    known = Authority(days=1).for_partner("acme").certificate
    partners = Partners(str(path))
    assert partners.principal(known) is not None

    tomorrow = time.time() + 90_000
    monkeypatch.setattr(time, "time", lambda: tomorrow)

    assert partners.principal(known) is None


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(PartnersError, match="PARTNERS_FILE"):
        Partners(str(tmp_path / "none.toml"))
