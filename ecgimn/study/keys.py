"""Secrets of a site: passphrases kept as argon2id hashes and guessed slowly, and the key that signs its exports.

Hashes that older versions wrote (scrypt) are still accepted; the store replaces them at the next sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ecgimn.errors import StudyError

MIN_LENGTH = 8  # NIST SP 800-63B (2017), 5.1.1.1: the least for a secret that a person chooses
MAX_LENGTH = 200
FREE_GUESSES = 5  # wrong ones in a row before a guess has to wait
LONGEST_WAIT_S = 300.0  # so that nobody can keep a reader out for longer by guessing on purpose

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)  # 64 MiB a try, the second choice of RFC 9106
_one_at_a_time = threading.Lock()  # twenty tries at once must not take 1.3 GB


def check_new(passphrase: str) -> None:
    """Refuse a passphrase that is too short or too long to be chosen; raises `StudyError`."""
    if not MIN_LENGTH <= len(passphrase) <= MAX_LENGTH or not passphrase.strip():
        raise StudyError(
            f"The passphrase has {len(passphrase)} characters. {MIN_LENGTH} to {MAX_LENGTH} are needed. Choose a "
            "longer one; three or four words that do not belong together are easy to remember."
        )


def hash_passphrase(passphrase: str) -> str:
    """Return the argon2id hash of a passphrase with its salt and cost, as text."""
    with _one_at_a_time:
        return _HASHER.hash(passphrase)


def fits(passphrase: str, key: str) -> bool:
    """Whether a passphrase is the one behind a hash, of argon2 or of the older scrypt."""
    if key.startswith("scrypt$"):
        _, salt, stored = key.split("$")
        with _one_at_a_time:
            found = hashlib.scrypt(passphrase.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
        return hmac.compare_digest(found, bytes.fromhex(stored))
    try:
        with _one_at_a_time:
            return _HASHER.verify(key, passphrase)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(key: str) -> bool:
    """Whether a hash was made by another method, or at another cost, than is used now."""
    return key.startswith("scrypt$") or _HASHER.check_needs_rehash(key)


def wait_s(n_wrong: int) -> float:
    """Return how long after the last wrong passphrase the next one is looked at, in seconds.

    Nothing for the first `FREE_GUESSES`, then doubled each time up to `LONGEST_WAIT_S`.
    """
    return 0.0 if n_wrong < FREE_GUESSES else min(2.0 ** (n_wrong - FREE_GUESSES + 1), LONGEST_WAIT_S)


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
