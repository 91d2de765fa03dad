"""A site's signature under its exports: Ed25519 (RFC 8032), one key for each installation.

The private key lies in the study database, so whoever can read the database or its backup can sign as the site.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PURPOSE = b"ECG-IMN Reader, export of a study\n"  # a signature made for this can stand for nothing else


def new_key() -> str:
    """Return a new private key as 64 hexadecimal digits."""
    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def public_key(private_key: str) -> str:
    """Return the public key of a private one, as 64 hexadecimal digits."""
    return _private(private_key).public_key().public_bytes_raw().hex()


def sign(private_key: str, digest: str) -> str:
    """Return the signature of a digest, as 128 hexadecimal digits."""
    return _private(private_key).sign(_PURPOSE + digest.encode()).hex()


def is_signed(key: str, digest: str, signature: str) -> bool:
    """Whether the holder of the private key that belongs to a public one signed this very digest."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(signature), _PURPOSE + digest.encode()
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: str) -> str:
    """Return what two people compare on the telephone: 16 digits of the SHA-256 of a public key, in fours."""
    digits = hashlib.sha256(bytes.fromhex(key)).hexdigest()[:16]
    return " ".join(digits[i : i + 4] for i in range(0, 16, 4))


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key))
