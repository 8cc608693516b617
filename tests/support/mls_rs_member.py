"""A member of an MLS group on mls-rs, a second implementation of RFC 9420.

It reads requests and writes replies, one JSON text per line. The tests of the web client start it with
`python -m tests.support.mls_rs_member USER_ID:DEVICE_ID`.
"""

import json
import sys
from typing import Any

import mls_rs_uniffi as mls  # type: ignore[import-untyped] # generated, without annotations


class Member:
    """One device, which is in at most one group."""

    def __init__(self, identity: str) -> None:
        """Create the device with a new signature key."""
        keys = mls.generate_signature_keypair(mls.CipherSuite.CURVE25519_AES128)
        self.public_key = keys.public_key.bytes
        self._client = mls.Client(identity.encode(), keys, mls.client_config_default())
        self._group: Any = None

    def key_package(self) -> dict[str, str]:
        """Return a key package."""
        return {"body": self._client.generate_key_package_message().to_bytes().hex()}

    def create(self) -> dict[str, str]:
        """Create a group with this device as its only member."""
        self._group = self._client.create_group(None)
        return {}

    def join(self, welcome: str) -> dict[str, str]:
        """Join a group by a Welcome, which contains the tree."""
        self._group = self._client.join_group(None, _message(welcome)).group
        return {}

    def commit(self, add: list[str]) -> dict[str, str | None]:
        """Commit the addition of devices, or only a new epoch. The commit is applied at once."""
        output = self._group.add_members([_message(each) for each in add]) if add else self._group.commit()
        self.process(output.commit_message.to_bytes().hex())
        welcome = output.welcome_message
        return {
            "commit": output.commit_message.to_bytes().hex(),
            "welcome": None if welcome is None else welcome.to_bytes().hex(),
        }

    def process(self, commit: str) -> dict[str, str]:
        """Apply a commit."""
        self._group.process_incoming_message(_message(commit))
        return {}

    def export(self, conversation_id: str) -> dict[str, str]:
        """Return the epoch key of a conversation."""
        return {"key": self._group.export_secret(b"famichat message", conversation_id.encode(), 32).hex()}


def _message(encoded: str) -> Any:
    return mls.Message.from_bytes(bytes.fromhex(encoded))


def main() -> None:
    """Serve requests until the input ends."""
    member = Member(sys.argv[1])
    _reply({"public_key": member.public_key.hex()})
    for line in sys.stdin:
        request = json.loads(line)
        method = getattr(member, request.pop("method"))
        _reply(method(**request))


def _reply(reply: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
