"""Passphrases of readers and coordinators, kept as scrypt hashes (RFC 7914) and never in the clear."""

from __future__ import annotations

import hashlib
import hmac
import secrets

COST, BLOCK, PARALLEL = 2**14, 8, 1  # 16 MiB and some 50 ms a try


def hash_passphrase(passphrase: str) -> str:
    """Return salt and hash of a passphrase as text."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(passphrase, salt).hex()}"


def fits(passphrase: str, key: str) -> bool:
    """Whether a passphrase is the one behind a hash."""
    _, salt, stored = key.split("$")
    return hmac.compare_digest(_scrypt(passphrase, bytes.fromhex(salt)), bytes.fromhex(stored))


def _scrypt(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL, dklen=32)
