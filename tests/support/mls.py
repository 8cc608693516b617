"""Encodes MLS messages as devices send them, as far as the server reads them: without working tags and ciphertexts.

Keys and signatures of leaves and key packages are real Ed25519. The encoding is written from RFC 9420, apart from
the parser.
"""

import base64
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.chat.mls.commit import CommitRequest
from famichat.e2ee.account_key import AccountKeyRequest
from famichat.e2ee.device_keys import DeviceKeysRequest, publish_device_keys
from famichat.e2ee.key_package import publish_key_packages
from famichat.e2ee.mls_parser import parse_key_package
from famichat.e2ee.signature import account_statement, device_statement
from tests.factories.people import Person

MONTH = 30 * 86400
SUITE = 1


def u8(value: int) -> bytes:
    return value.to_bytes(1)


def u16(value: int) -> bytes:
    return value.to_bytes(2)


def u32(value: int) -> bytes:
    return value.to_bytes(4)


def u64(value: int) -> bytes:
    return value.to_bytes(8)


def v(data: bytes) -> bytes:
    """`opaque data<V>`, section 2.1.2."""
    size = len(data)
    if size <= 63:
        return u8(size) + data
    if size <= 16383:
        return u16(0x4000 + size) + data
    return u32(0x80000000 + size) + data


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: Ed25519PrivateKey, label: str, content: bytes) -> bytes:
    return key.sign(v(f"MLS 1.0 {label}".encode()) + v(content))


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


@dataclass
class MlsDevice:
    """A device with its keys."""

    user_id: str
    device_id: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    hpke_key: bytes = field(default_factory=lambda: os.urandom(32))

    @property
    def signature_key(self) -> bytes:
        return raw_public(self.key)

    @property
    def identity(self) -> bytes:
        return f"{self.user_id}:{self.device_id}".encode()

    def leaf(self, source: bytes, encryption_key: bytes | None = None, context: bytes = b"") -> bytes:
        """A LeafNode. `source` is the encoded leaf_node_source with what depends on it."""
        capabilities = v(u16(1)) + v(u16(SUITE)) + v(b"") + v(b"") + v(u16(1))
        content = v(encryption_key or os.urandom(32)) + v(self.signature_key) + u16(1) + v(self.identity)
        content += capabilities + source + v(b"")
        return content + v(signed(self.key, "LeafNodeTBS", content + context))

    def key_package_content(self, *, expires_at: int | None = None, suite: int = SUITE) -> bytes:
        """A KeyPackage without the header of an MLSMessage."""
        now = int(time.time())
        lifetime = u8(1) + u64(now - 3600) + u64(now + MONTH if expires_at is None else expires_at)
        content = u16(1) + u16(suite) + v(os.urandom(32)) + self.leaf(lifetime) + v(b"")
        return content + v(signed(self.key, "KeyPackageTBS", content))

    def key_package(self, *, expires_at: int | None = None, suite: int = SUITE) -> bytes:
        """A KeyPackage as an MLSMessage."""
        return message(5, self.key_package_content(expires_at=expires_at, suite=suite))

    def commit_leaf(self) -> bytes:
        """The leaf of an update path. The server cannot verify its signature without the group context."""
        return self.leaf(u8(3) + v(os.urandom(32)), context=os.urandom(36))


def message(wire_format: int, content: bytes) -> bytes:
    """An MLSMessage."""
    return u16(1) + u16(wire_format) + content


def add_proposal(key_package: bytes) -> bytes:
    """An Add by value of a KeyPackage that is encoded as an MLSMessage."""
    return u8(1) + u16(1) + key_package[4:]


def remove_proposal(leaf_index: int) -> bytes:
    """A Remove by value."""
    return u8(1) + u16(3) + u32(leaf_index)


EXTERNAL_INIT = u8(1) + u16(6) + v(b"\x05" * 32)


def commit(
    group_id: bytes,
    epoch: int,
    sender: int | None,
    proposals: Iterable[bytes] = (),
    path_leaf: bytes | None = None,
    *,
    content_type: int = 3,
) -> bytes:
    """A commit in a PublicMessage; `sender` None is an external commit."""
    who = u8(4) if sender is None else u8(1) + u32(sender)
    content = v(group_id) + u64(epoch) + who + v(b"") + u8(content_type) + v(b"".join(proposals))
    node = v(os.urandom(32)) + v(v(os.urandom(32)) + v(os.urandom(48)))
    content += u8(0) if path_leaf is None else u8(1) + path_leaf + v(node)
    content += v(os.urandom(64)) + v(os.urandom(32))
    return message(1, content if sender is None else content + v(os.urandom(32)))


def group_info(
    group_id: bytes, epoch: int, leaves: dict[int, bytes], *, external_pub: bool = True, suite: int = SUITE
) -> bytes:
    """A GroupInfo whose tree has these encoded leaves, and blank parents."""
    nodes = [b"\0"] * (2 * max(leaves, default=0) + 1)
    for index, leaf in leaves.items():
        nodes[2 * index] = u8(1) + u8(1) + leaf
    return group_info_of_tree(group_id, epoch, v(b"".join(nodes)), external_pub=external_pub, suite=suite)


def group_info_of_tree(
    group_id: bytes, epoch: int, tree: bytes, *, external_pub: bool = True, suite: int = SUITE
) -> bytes:
    """A GroupInfo with an encoded ratchet tree."""
    extensions = u16(2) + v(tree)
    if external_pub:
        extensions += u16(4) + v(v(os.urandom(32)))
    context = u16(1) + u16(suite) + v(group_id) + u64(epoch) + v(os.urandom(32)) + v(os.urandom(32)) + v(b"")
    return message(4, context + v(extensions) + v(os.urandom(32)) + u32(0) + v(os.urandom(64)))


def welcome(refs: Iterable[bytes], suite: int = SUITE) -> bytes:
    """A Welcome for the key packages with these refs."""
    secrets = b"".join(v(ref) + v(os.urandom(32)) + v(os.urandom(60)) for ref in refs)
    return message(3, u16(suite) + v(secrets) + v(os.urandom(200)))


@dataclass
class MlsAccount:
    """A user's account key."""

    user_id: str
    version: int = 1
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    hpke_key: bytes = field(default_factory=lambda: os.urandom(32))

    def request(self, rotated_by: "MlsAccount | None" = None) -> AccountKeyRequest:
        """What a device publishes for the account."""
        public = raw_public(self.key)
        rotation = None
        if rotated_by is not None:
            rotation = rotated_by.key.sign(account_statement(self.user_id, self.version, public, self.hpke_key))
        return AccountKeyRequest(self.version, public, self.hpke_key, rotation)

    def certificate(self, device: MlsDevice) -> bytes:
        """The signature over a device's keys."""
        return self.key.sign(
            device_statement(self.user_id, device.device_id, self.version, device.signature_key, device.hpke_key)
        )


def published(session: Session, who: Person, *, packages: int = 2, account: MlsAccount | None = None) -> MlsDevice:
    """Publish the keys of a person's new device, signed by a new account key or the given one, and key packages."""
    device = MlsDevice(who.user_id, who.device_id)
    publish(session, who, device, packages=packages, account=account)
    return device


def publish(
    session: Session, who: Person, device: MlsDevice, *, packages: int = 2, account: MlsAccount | None = None
) -> None:
    """Publish the keys of a person's device; see `published`."""
    actor, signing = Identity(who.user_id, who.device_id, who.username), account or MlsAccount(who.user_id)
    keys = DeviceKeysRequest(device.signature_key, device.hpke_key, signing.certificate(device), signing.request())
    publish_device_keys(session, actor, keys)
    bodies = [device.key_package() for _ in range(packages)]
    publish_key_packages(session, actor, device.signature_key, bodies, device.key_package() if packages else None)


def commit_json(request: CommitRequest) -> dict[str, object]:
    """A commit as the HTTP API takes it."""
    body: dict[str, object] = {
        "generation": request.generation,
        "commit": b64(request.commit),
        "group_info": b64(request.group_info),
        "welcome": None if request.welcome is None else b64(request.welcome),
    }
    return {**body, "epoch": request.epoch} if request.epoch else body


def encrypted_message(key_id: str) -> dict[str, object]:
    """A message whose body only the devices in an epoch could decrypt."""
    encrypted = {"encryption_flag": True, "encryption_version": "famichat.1", "protocol": "mls10"}
    body = {"body": b64(os.urandom(32)), "client_id": os.urandom(16).hex()}
    return {**body, **encrypted, "key_id": key_id, "epoch": int(key_id.partition(":")[2])}


class MlsGroupModel:
    """An MLS group as its members know it, which makes the commits that a client would send.

    Attributes:
        leaves: the device of each leaf.
    """

    def __init__(self, founder: MlsDevice, generation: int = 0) -> None:
        self.group_id = os.urandom(32)
        self.generation = generation
        self.epoch = 0
        self.leaves: dict[int, MlsDevice] = {0: founder}

    def commit(
        self,
        sender: MlsDevice,
        *,
        add: Iterable[tuple[MlsDevice, bytes]] = (),
        remove: Iterable[MlsDevice] = (),
        external: bool = False,
        **replaced: object,
    ) -> CommitRequest:
        """A commit for the current epoch. `add` are devices with the key packages to use. `replaced` are fields.

        Call `advance` when the server has accepted it.
        """
        added = list(add)
        after = dict(self.leaves)
        proposals = [EXTERNAL_INIT] if external else []
        for device in remove:
            index = self.index_of(device)
            del after[index]
            proposals.append(remove_proposal(index))
        for device in [*([sender] if external else []), *(each for each, _ in added)]:
            after[next(index for index in range(len(after) + 1) if index not in after)] = device
        proposals += [add_proposal(package) for _, package in added]
        leaf = None if external else self.index_of(sender)
        encoded = commit(self.group_id, self.epoch, leaf, proposals, sender.commit_leaf())
        info = group_info(self.group_id, self.epoch + 1, {i: each.commit_leaf() for i, each in after.items()})
        refs = [parse_key_package(package).ref for _, package in added]
        self._next = after
        request = CommitRequest(self.generation, self.epoch, encoded, info, welcome(refs) if refs else None)
        return replace(request, **replaced)  # type: ignore[arg-type]

    def advance(self) -> None:
        """Begin the epoch of the last commit."""
        self.leaves = self._next
        self.epoch += 1

    def index_of(self, device: MlsDevice) -> int:
        """The leaf of a device."""
        return next(index for index, each in self.leaves.items() if each is device)
