"""An identity provider's key pair: signs tokens, and shows its public half as a JSON Web Key."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    """Return the one RSA key of all tests: making one costs half a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Signer:
    """One key pair with an id."""

    def __init__(self, key_id: str, algorithm: str) -> None:
        self.key_id, self.algorithm = key_id, algorithm
        make: dict[str, Callable[[], Any]] = {
            "RS256": _rsa_key,
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }
        self.private: Any = make[algorithm]()

    def public(self) -> dict[str, Any]:
        """Return the public key as an entry of a set."""
        kind = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[self.algorithm]
        entry: dict[str, Any] = json.loads(kind.to_jwk(self.private.public_key()))  # type: ignore[attr-defined]
        return {**entry, "kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    def token(self, *, algorithm: str = "", header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a signed token; claims are changed by name, None takes one away."""
        claims = {
            "iss": "stockmesh",
            "aud": "stockmesh",
            "sub": "u",
            "accounts": ["demo"],
            "scope": "read trade",
            "exp": int(time.time()) + 3600,
            "jti": "id-1",
        }
        told = {name: value for name, value in (claims | changes).items() if value is not None}
        headers = {"kid": self.key_id, **(header or {})}
        return jwt.encode(told, self.private, algorithm=algorithm or self.algorithm, headers=headers)


def a_set(*signers: Signer) -> bytes:
    """Return the public keys as a JSON Web Key Set."""
    return json.dumps({"keys": [signer.public() for signer in signers]}).encode()
