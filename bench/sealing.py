"""Measures the CPU time to encrypt and decrypt 200 bytes with the vault, compared with plain AES-256-GCM.

    ./run bench sealing

The limit is 10 microseconds per operation; the program exits with status 1 if it is exceeded. The fastest of several
rounds counts, because other load on the machine can only make a round slower.
"""

import secrets
import sys
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from famichat.storage.base import new_id
from famichat.storage.crypto.vault import Vault

BODY = b"Dinner at six? Bring the big pot, and ask Inga whether she wants to be fetched. ".ljust(200, b".")
ROUNDS, CALLS_PER_ROUND = 15, 4_000
LIMIT_MICROSECONDS = 10.0


def best(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in the fastest round, in microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS_PER_ROUND):
            work()
        rounds.append((time.process_time() - started) / CALLS_PER_ROUND * 1e6)
    return min(rounds)


def main() -> int:
    """Measure and print the times; return the exit status."""
    vault, cipher, row = Vault({1: secrets.token_bytes(32)}), AESGCM(secrets.token_bytes(32)), new_id()
    sealed, nonce, aad = vault.seal("body", BODY, row), secrets.token_bytes(12), row.encode()
    encrypted = cipher.encrypt(nonce, BODY, aad)
    figures = {
        "seal": (best(lambda: vault.seal("body", BODY, row)), best(lambda: cipher.encrypt(nonce, BODY, aad))),
        "open": (best(lambda: vault.open("body", sealed, row)), best(lambda: cipher.decrypt(nonce, encrypted, aad))),
    }
    for name, (ours, plain) in figures.items():
        print(f"{name}: {ours:.2f} microseconds of CPU for {len(BODY)} bytes, {ours / plain:.1f} x plain AES-256-GCM")
    return int(max(ours for ours, _ in figures.values()) >= LIMIT_MICROSECONDS)


if __name__ == "__main__":
    sys.exit(main())
