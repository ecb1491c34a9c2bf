"""runtime/keys.py: public keys come from a set, are kept when it is away, and are looked for when a token names a new one."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from runtime.auth import KeysUnavailable, KeyUnknown, TokenVerifier
from runtime.keys import LONGEST_SET_BYTES, BadKeys, KeySet, keys_from
from tests.unit.runtime.signing import Signer, a_set


def a_weak_key() -> dict[str, Any]:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    return {**json.loads(RSAAlgorithm.to_jwk(weak.public_key())), "kid": "weak"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_is_known_by_its_id_and_signs_by_its_own_algorithm(algorithm: str) -> None:
    keys = keys_from(a_set(Signer("k1", algorithm)))

    assert {key_id: key.algorithm_name for key_id, key in keys.items()} == {"k1": algorithm}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, null, {}, {"kid": "x", "kty": "nonsense"}]}',
        json.dumps({"keys": [{"kid": "s", "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}).encode(),
        json.dumps({"keys": [a_weak_key()]}).encode(),
        json.dumps({"keys": [{**Signer("k", "ES256").public(), "use": "enc"}]}).encode(),
        json.dumps({"keys": [{**Signer("k", "RS256").public(), "alg": "HS256"}]}).encode(),
        json.dumps({"keys": [{**Signer("k", "RS256").public(), "alg": "RS512"}]}).encode(),
        json.dumps({"keys": [{} for _ in range(101)]}).encode(),
        b"[" * 100_000,
    ],
)
def test_what_holds_no_key_that_can_check_a_token_is_refused(content: bytes) -> None:
    with pytest.raises(BadKeys):
        keys_from(content)


def verifier_of(keys: KeySet) -> TokenVerifier:
    verifier = TokenVerifier(issuer="stockmesh", audience="stockmesh", keys=keys)
    keys.on_change(verifier.forget)
    return verifier


async def test_a_new_key_is_found_by_the_first_token_that_names_it_and_an_old_one_ends_with_the_set(
    tmp_path: Path,
) -> None:
    place, old, new = tmp_path / "jwks.json", Signer("old", "ES256"), Signer("new", "EdDSA")
    place.write_bytes(a_set(old))
    keys = KeySet(str(place), refresh_seconds=60, pause_seconds=0)
    verifier = verifier_of(keys)
    await keys.look_again()
    assert (await verifier.identify(old.token())).subject == "u"

    place.write_bytes(a_set(new))

    assert (await verifier.identify(new.token())).subject == "u"
    with pytest.raises(KeyUnknown):
        verifier.verify(old.token())


async def test_keys_are_kept_while_their_place_is_away_or_broken(tmp_path: Path) -> None:
    place, signer = tmp_path / "jwks.json", Signer("k", "ES256")
    place.write_bytes(a_set(signer))
    keys = KeySet(str(place), refresh_seconds=60, pause_seconds=0)
    await keys.look_again()

    for content in (None, b"broken", b'{"keys": []}'):
        place.unlink(missing_ok=True) if content is None else place.write_bytes(content)
        await keys.look_again()
        assert (await verifier_of(keys).identify(signer.token())).subject == "u"


class Provider(ThreadingHTTPServer):
    """An identity provider: answers with its content, counts questions."""

    content, status, asked = b"", 200, 0


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Provider)
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()
        try:
            self.wfile.write(self.server.content)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def provider() -> Iterator[Provider]:
    with Provider(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


async def test_made_up_key_ids_ask_the_provider_once_however_many_there_are() -> None:
    signer = Signer("k", "ES256")
    with provider() as server:
        server.content = a_set(signer)
        keys = KeySet(f"http://127.0.0.1:{server.server_port}/jwks", refresh_seconds=60)
        verifier = verifier_of(keys)
        forged = [Signer(f"made-up-{number}", "ES256").token() for number in range(20)]

        refusals = await asyncio.gather(*(verifier.identify(token) for token in forged), return_exceptions=True)

        assert {type(refusal) for refusal in refusals} == {KeyUnknown}
        assert server.asked == 1
        assert (await verifier.identify(signer.token())).subject == "u"


@pytest.mark.parametrize(("status", "padding"), [(404, 0), (302, 0), (500, 0), (200, LONGEST_SET_BYTES)])
async def test_an_answer_that_is_no_set_leaves_tokens_unchecked_for_now(status: int, padding: int) -> None:
    signer = Signer("k", "ES256")
    with provider() as server:
        server.content, server.status = a_set(signer) + b" " * padding, status
        keys = KeySet(f"http://127.0.0.1:{server.server_port}/", refresh_seconds=60)
        with pytest.raises(KeysUnavailable):
            await verifier_of(keys).identify(signer.token())
        assert server.asked == 1
