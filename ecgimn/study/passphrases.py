"""Passphrases: long enough when chosen, kept as argon2id hashes, and guessed slowly.

Hashes that older versions wrote (scrypt) are still accepted; the store replaces them at the next sign-in.
"""

from __future__ import annotations

import hashlib
import hmac
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

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
