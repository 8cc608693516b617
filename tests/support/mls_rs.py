"""Devices on mls-rs, a second implementation of RFC 9420, whose key packages, commits and Welcomes are real.

The library creates no external commits and no GroupInfo, so the GroupInfo is assembled here around its ratchet tree.
"""

from collections.abc import Iterable
from typing import Any

import mls_rs_uniffi as mls  # type: ignore[import-untyped] # generated, without annotations

from famichat.chat.mls.commit import CommitRequest
from famichat.e2ee.mls_parser import parse_commit
from tests.support.mls import MlsDevice, group_info_of_tree


class RsDevice(MlsDevice):
    """A device of an MLS group.

    Attributes:
        epoch: the epoch that the device is in; 0 in a group that only it is in.
    """

    def __init__(self, user_id: str, device_id: str) -> None:
        super().__init__(user_id, device_id)
        pair = mls.generate_signature_keypair(mls.CipherSuite.CURVE25519_AES128)
        self._public_key: bytes = pair.public_key.bytes
        self._client = mls.Client(self.identity, pair, mls.client_config_default())
        self._group: Any = None
        self.epoch = 0

    @property
    def signature_key(self) -> bytes:
        """The public key of its leaves and key packages."""
        return self._public_key

    def key_package(self, **_: object) -> bytes:
        """A KeyPackage as an MLSMessage."""
        return bytes(self._client.generate_key_package_message().to_bytes())

    def create(self) -> None:
        """Create a group with this device as its only member."""
        self._group, self.epoch = self._client.create_group(None), 0

    def commit(self, generation: int, *, add: Iterable[bytes] = (), remove: Iterable["RsDevice"] = ()) -> CommitRequest:
        """Add devices or remove some, or only begin an epoch; apply the commit."""
        packages, leaving = list(add), [each._client.signing_identity() for each in remove]
        if packages:
            output = self._group.add_members([mls.Message.from_bytes(each) for each in packages])
        else:
            output = self._group.remove_members(leaving) if leaving else self._group.commit()
        encoded, epoch = bytes(output.commit_message.to_bytes()), self.epoch
        self.process(encoded)
        info = group_info_of_tree(parse_commit(encoded).group_id, self.epoch, bytes(self._group.export_tree().bytes))
        welcome = None if output.welcome_message is None else bytes(output.welcome_message.to_bytes())
        return CommitRequest(generation, epoch, encoded, info, welcome)

    def process(self, commit: bytes) -> None:
        """Apply a commit."""
        self._group.process_incoming_message(mls.Message.from_bytes(commit))
        self.epoch += 1

    def key_after(self, commit: bytes, conversation_id: str) -> bytes | None:
        """The epoch key after a commit that removes this device, if there is one."""
        try:
            self.process(commit)
            return self.epoch_key(conversation_id)
        except mls.Error:
            return None

    def join(self, welcome: bytes, epoch: int) -> None:
        """Join a group by a Welcome, which contains the tree."""
        self._group = self._client.join_group(None, mls.Message.from_bytes(welcome)).group
        self.epoch = epoch

    def epoch_key(self, conversation_id: str) -> bytes:
        """The key of the epoch that the device is in."""
        return bytes(self._group.export_secret(b"famichat message", conversation_id.encode(), 32))
