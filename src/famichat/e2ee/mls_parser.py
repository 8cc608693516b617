"""A strict parser of the MLS messages that the server relays (RFC 9420), which needs no keys.

It reads what the delivery service decides on: who sends a commit, which devices it adds and removes, which leaves the
tree has. It verifies no tag or hash, and no signature (`signature.py` does).

Of the proposals, only Add, Remove and ExternalInit by value are supported. Application data, standalone proposals and
proposals by reference are refused.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

MAX_MLS_BYTES: Final = 256 * 1024
"""Maximum size of a commit, Welcome or GroupInfo, in bytes."""
MAX_KEY_PACKAGE_BYTES: Final = 2048
"""Maximum size of a key package, in bytes."""

_MLS10 = 1
_PUBLIC_MESSAGE, _WELCOME, _GROUP_INFO, _KEY_PACKAGE = 1, 3, 4, 5  # WireFormat, section 6
_COMMIT_CONTENT = 3  # ContentType, section 6
_BY_VALUE = 1  # ProposalOrRefType, section 12.4
_RATCHET_TREE, _EXTERNAL_PUB = 2, 4  # ExtensionType, section 17.3

_Value = TypeVar("_Value")


class MlsFormatError(Exception):
    """The bytes are not such a message, or contain something that is not supported; the text says what."""


@dataclass(frozen=True, slots=True)
class LeafNode:
    """A leaf of the ratchet tree (section 7.2).

    Attributes:
        encryption_key: the HPKE public key.
        signature_key: the signature public key.
        identity: the identity of a basic credential; None for an X.509 credential.
        lifetime: `not_before` and `not_after` in seconds since 1970; None unless the leaf is part of a key package.
        signed: the encoded fields that the signature covers, without the group context of a leaf in a commit.
        signature: the signature.
    """

    encryption_key: bytes
    signature_key: bytes
    identity: bytes | None
    lifetime: tuple[int, int] | None
    signed: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class KeyPackage:
    """A key package (section 10), without the header of an MLSMessage.

    Attributes:
        cipher_suite: the number of the cipher suite.
        init_key: the HPKE public key that encrypts a Welcome.
        leaf: the leaf of the new member.
        signed: the encoded fields that the signature covers.
        signature: the signature.
        encoded: all bytes.
    """

    cipher_suite: int
    init_key: bytes
    leaf: LeafNode
    signed: bytes
    signature: bytes
    encoded: bytes

    @property
    def ref(self) -> bytes:
        """The KeyPackageRef (section 5.2) under SHA-256, the hash of cipher suite 1."""
        return hashlib.sha256(encode_vector(b"MLS 1.0 KeyPackage Reference") + encode_vector(self.encoded)).digest()


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit in a PublicMessage (section 12.4).

    Attributes:
        group_id: the MLS group.
        epoch: the epoch that the commit ends.
        sender: the leaf index of the sender; None for an external commit, whose sender has no leaf yet.
        adds: the key packages of the new members.
        removes: the leaf indexes that are removed.
        external_inits: the number of ExternalInit proposals.
        path_leaf: the sender's new leaf; None if the commit has no path.
    """

    group_id: bytes
    epoch: int
    sender: int | None
    adds: tuple[KeyPackage, ...]
    removes: tuple[int, ...]
    external_inits: int
    path_leaf: LeafNode | None


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A GroupInfo (section 12.4.3).

    Attributes:
        cipher_suite: the number of the cipher suite.
        group_id: the MLS group.
        epoch: the epoch that it describes.
        leaves: the leaves of its ratchet tree, by leaf index; empty without a ratchet tree.
        has_external_pub: whether a device can join by an external commit.
    """

    cipher_suite: int
    group_id: bytes
    epoch: int
    leaves: dict[int, LeafNode]
    has_external_pub: bool


@dataclass(frozen=True, slots=True)
class Welcome:
    """A Welcome (section 12.4.3.1).

    Attributes:
        cipher_suite: the number of the cipher suite.
        new_members: the KeyPackageRef of each recipient.
    """

    cipher_suite: int
    new_members: tuple[bytes, ...]


def parse_commit(encoded: bytes) -> Commit:
    """Parse an MLSMessage that holds a commit as a PublicMessage.

    Raises:
        MlsFormatError: it is anything else, or contains an unsupported proposal.
    """
    return _whole(encoded, MAX_MLS_BYTES, _PUBLIC_MESSAGE, _commit)


def parse_welcome(encoded: bytes) -> Welcome:
    """Parse an MLSMessage that holds a Welcome.

    Raises:
        MlsFormatError: it is anything else.
    """
    return _whole(encoded, MAX_MLS_BYTES, _WELCOME, _welcome)


def parse_group_info(encoded: bytes) -> GroupInfo:
    """Parse an MLSMessage that holds a GroupInfo.

    Raises:
        MlsFormatError: it is anything else.
    """
    return _whole(encoded, MAX_MLS_BYTES, _GROUP_INFO, _group_info)


def parse_key_package(encoded: bytes) -> KeyPackage:
    """Parse an MLSMessage that holds a key package.

    Raises:
        MlsFormatError: it is anything else.
    """
    return _whole(encoded, MAX_KEY_PACKAGE_BYTES, _KEY_PACKAGE, _key_package)


class _Reader:
    """Reads the presentation language of section 2.1 from bytes."""

    __slots__ = ("_data", "_end", "position")

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self._data = data
        self._end = end
        self.position = position

    @property
    def has_more(self) -> bool:
        return self.position < self._end

    def take(self, length: int) -> bytes:
        start, self.position = self.position, self.position + length
        if self.position > self._end:
            raise MlsFormatError("truncated")
        return self._data[start : self.position]

    def since(self, start: int) -> bytes:
        return self._data[start : self.position]

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length))

    def length(self) -> int:
        """Read a variable-size length (section 2.1.2): one, two or four bytes, as few as possible."""
        first = self.number(1)
        kind = first >> 6
        if kind == 3:  # noqa: PLR2004 - section 2.1.2: the prefix 0b11 is invalid
            raise MlsFormatError("invalid length")
        size = 1 << kind
        length = (first & 0x3F) << 8 * (size - 1) | self.number(size - 1)
        if kind and length < 1 << (8 * (size >> 1) - 2):
            raise MlsFormatError("length is not minimal")
        return length

    def opaque(self) -> bytes:
        return self.take(self.length())

    def vector(self, item: "Callable[[_Reader], _Value]") -> tuple[_Value, ...]:
        length = self.length()
        inner = _Reader(self._data, self.position, self.position + length)
        self.take(length)
        values = []
        while inner.has_more:
            values.append(item(inner))
        return tuple(values)

    def optional(self, item: "Callable[[_Reader], _Value]") -> _Value | None:
        match self.number(1):
            case 0:
                return None
            case 1:
                return item(self)
            case _:
                raise MlsFormatError("invalid presence byte")


def _whole(encoded: bytes, limit: int, wire_format: int, item: Callable[[_Reader], _Value]) -> _Value:
    if len(encoded) > limit:
        raise MlsFormatError("too large")
    reader = _Reader(encoded, 0, len(encoded))
    if reader.number(2) != _MLS10 or reader.number(2) != wire_format:
        raise MlsFormatError("another version or wire format")
    value = item(reader)
    if reader.has_more:
        raise MlsFormatError("trailing bytes")
    return value


def _commit(reader: _Reader) -> Commit:
    group_id, epoch = reader.opaque(), reader.number(8)
    sender = _sender(reader)
    reader.opaque()  # authenticated_data
    if reader.number(1) != _COMMIT_CONTENT:
        raise MlsFormatError("not a commit")
    proposals = reader.vector(_proposal)
    path_leaf = reader.optional(_path)
    reader.opaque()  # signature
    reader.opaque()  # confirmation_tag
    if sender is not None:
        reader.opaque()  # membership_tag
    adds = tuple(each for each in proposals if isinstance(each, KeyPackage))
    removes = tuple(each for each in proposals if isinstance(each, int))
    return Commit(group_id, epoch, sender, adds, removes, proposals.count(None), path_leaf)


def _sender(reader: _Reader) -> int | None:
    match reader.number(1):
        case 1:  # member
            return reader.number(4)
        case 4:  # new_member_commit
            return None
        case _:
            raise MlsFormatError("unsupported sender")


def _proposal(reader: _Reader) -> KeyPackage | int | None:
    """Return the key package of an Add, the leaf index of a Remove, None for an ExternalInit."""
    if reader.number(1) != _BY_VALUE:
        raise MlsFormatError("proposal by reference")
    match reader.number(2):
        case 1:  # add
            return _key_package(reader)
        case 3:  # remove
            return reader.number(4)
        case 6:  # external_init
            reader.opaque()  # kem_output
            return None
        case _:
            raise MlsFormatError("unsupported proposal")


def _path(reader: _Reader) -> LeafNode:
    leaf = _leaf_node(reader)
    reader.vector(_path_node)
    return leaf


def _path_node(reader: _Reader) -> None:
    reader.opaque()  # encryption_key
    reader.vector(_ciphertext)


def _ciphertext(reader: _Reader) -> None:
    reader.opaque()  # kem_output
    reader.opaque()  # ciphertext


def _key_package(reader: _Reader) -> KeyPackage:
    start = reader.position
    if reader.number(2) != _MLS10:
        raise MlsFormatError("another version")
    cipher_suite, init_key = reader.number(2), reader.opaque()
    leaf = _leaf_node(reader)
    if leaf.lifetime is None:
        raise MlsFormatError("a key package without a lifetime")  # section 10: the source must be key_package
    reader.vector(_extension)
    signed = reader.since(start)
    return KeyPackage(cipher_suite, init_key, leaf, signed, reader.opaque(), reader.since(start))


def _leaf_node(reader: _Reader) -> LeafNode:
    start = reader.position
    encryption_key, signature_key = reader.opaque(), reader.opaque()
    identity = _credential(reader)
    for _ in range(5):  # versions, cipher_suites, extensions, proposals, credentials
        reader.vector(_two_bytes)
    lifetime = _source(reader)
    reader.vector(_extension)
    signed = reader.since(start)
    return LeafNode(encryption_key, signature_key, identity, lifetime, signed, reader.opaque())


def _credential(reader: _Reader) -> bytes | None:
    match reader.number(2):
        case 1:  # basic
            return reader.opaque()
        case 2:  # x509
            reader.vector(_Reader.opaque)
            return None
        case _:
            raise MlsFormatError("unknown credential")


def _source(reader: _Reader) -> tuple[int, int] | None:
    match reader.number(1):
        case 1:  # key_package
            return reader.number(8), reader.number(8)
        case 2:  # update
            return None
        case 3:  # commit
            reader.opaque()  # parent_hash
            return None
        case _:
            raise MlsFormatError("unknown source of a leaf")


def _two_bytes(reader: _Reader) -> int:
    return reader.number(2)


def _extension(reader: _Reader) -> tuple[int, bytes]:
    return reader.number(2), reader.opaque()


def _welcome(reader: _Reader) -> Welcome:
    cipher_suite = reader.number(2)
    new_members = reader.vector(_group_secrets)
    reader.opaque()  # encrypted_group_info
    return Welcome(cipher_suite, new_members)


def _group_secrets(reader: _Reader) -> bytes:
    ref = reader.opaque()
    _ciphertext(reader)
    return ref


def _group_info(reader: _Reader) -> GroupInfo:
    if reader.number(2) != _MLS10:
        raise MlsFormatError("another version")
    cipher_suite, group_id, epoch = reader.number(2), reader.opaque(), reader.number(8)
    reader.opaque()  # tree_hash
    reader.opaque()  # confirmed_transcript_hash
    reader.vector(_extension)  # of the group context
    extensions = reader.vector(_extension)
    reader.opaque()  # confirmation_tag
    reader.number(4)  # signer
    reader.opaque()  # signature
    by_type = dict(extensions)
    if len(by_type) < len(extensions):
        raise MlsFormatError("an extension occurs twice")
    tree, external_pub = by_type.get(_RATCHET_TREE), by_type.get(_EXTERNAL_PUB)
    leaves = {} if tree is None else _inside(tree, _leaves)
    if external_pub is not None:
        _inside(external_pub, _Reader.opaque)
    return GroupInfo(cipher_suite, group_id, epoch, leaves, external_pub is not None)


def _inside(data: bytes, item: Callable[[_Reader], _Value]) -> _Value:
    reader = _Reader(data, 0, len(data))
    value = item(reader)
    if reader.has_more:
        raise MlsFormatError("trailing bytes")
    return value


def _leaves(reader: _Reader) -> dict[int, LeafNode]:
    nodes = reader.vector(_optional_node)
    if not nodes or nodes[-1] is None:
        raise MlsFormatError("the tree ends with a blank node")  # section 12.4.3.3
    if any(node is not None and isinstance(node, LeafNode) == bool(index % 2) for index, node in enumerate(nodes)):
        raise MlsFormatError("a leaf in the place of a parent")  # section 4.1: leaves have even indexes
    return {index // 2: node for index, node in enumerate(nodes) if isinstance(node, LeafNode)}


def _optional_node(reader: _Reader) -> LeafNode | bytes | None:
    return reader.optional(_node)


def _node(reader: _Reader) -> LeafNode | bytes:
    """Return a leaf, or the encryption key of a parent."""
    match reader.number(1):
        case 1:  # leaf
            return _leaf_node(reader)
        case 2:  # parent
            encryption_key = reader.opaque()
            reader.opaque()  # parent_hash
            reader.vector(_four_bytes)  # unmerged_leaves
            return encryption_key
        case _:
            raise MlsFormatError("unknown node")


def _four_bytes(reader: _Reader) -> int:
    return reader.number(4)


def encode_vector(data: bytes) -> bytes:
    """Encode `opaque data<V>` (section 2.1.2)."""
    length = len(data)
    if length < 1 << 6:
        return length.to_bytes(1) + data
    if length < 1 << 14:
        return (length | 1 << 14).to_bytes(2) + data
    return (length | 2 << 30).to_bytes(4) + data
