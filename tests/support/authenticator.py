"""A software security key: the responses of a browser and its authenticator to WebAuthn options.

key = Authenticator("http://localhost:4000")
made = key.create(options)      # as PublicKeyCredential.toJSON() has it
proof = key.get(options)
"""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import bytes_to_base64url

PRESENT: Final = 0x01
VERIFIED: Final = 0x04
ATTESTED: Final = 0x40


@dataclass
class Authenticator:
    """One passkey, for one site. `counts` is how often it was used; one that never counts stays at zero."""

    origin: str
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: str = ""
    sign_count: int = 0
    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Create a passkey like `navigator.credentials.create()`."""
        self.user_handle = options["user"]["id"]
        numbers = self.private_key.public_key().public_numbers()
        cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + cose
        data = self._authenticator_data(options["rp"]["id"], ATTESTED) + attested
        client_data = self._client_data("webauthn.create", options)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._credential(clientDataJSON=client_data, attestationObject=attestation)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Create an assertion like `navigator.credentials.get()`."""
        self.sign_count += self.counts
        data = self._authenticator_data(options["rpId"])
        client_data = self._client_data("webauthn.get", options)
        signed = data + hashlib.sha256(client_data).digest()
        signature = self.private_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        proof = self._credential(clientDataJSON=client_data, authenticatorData=data, signature=signature)
        proof["response"]["userHandle"] = self.user_handle
        return proof

    def _authenticator_data(self, rp_id: str, more_flags: int = 0) -> bytes:
        head = hashlib.sha256(rp_id.encode()).digest()
        return head + struct.pack(">BI", self.flags | more_flags, self.sign_count)

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        reported = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(reported).encode()

    def _credential(self, **response: bytes) -> dict[str, Any]:
        shown = bytes_to_base64url(self.credential_id)
        return {
            "id": shown,
            "rawId": shown,
            "type": "public-key",
            "response": {name: bytes_to_base64url(value) for name, value in response.items()},
            "clientExtensionResults": {},
        }
