"""Reads a 12-lead ECG and shows which millivolts of which lead and wave a network's answer is made of.

The model is the ECG-IMN of Thambawita et al., arXiv:2602.09566: it writes a linear model for each recording, so the
answer is a sum of contributions, one per sample of the trace.

For research, teaching and qualitative audit of ECG explanations. Not a medical device; not for diagnosis, triage,
monitoring or patient care.

`import ecgimn` is quick and needs neither PyTorch nor a weights file: each name below is fetched when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecgimn.errors import EcgImnError as EcgImnError
    from ecgimn.formats import read_recording as read_recording
    from ecgimn.leads import STANDARD_LEADS as STANDARD_LEADS
    from ecgimn.recording import Recording as Recording
    from ecgimn.signal.waves import Waves as Waves
    from ecgimn.signal.waves import find_waves as find_waves
    from ecgimn.sources.ptbxl import open_ptbxl as open_ptbxl

__version__ = "0.1.0"

_HOME = {
    "EcgImnError": "ecgimn.errors",
    "Recording": "ecgimn.recording",
    "STANDARD_LEADS": "ecgimn.leads",
    "Waves": "ecgimn.signal.waves",
    "find_waves": "ecgimn.signal.waves",
    "open_ptbxl": "ecgimn.sources.ptbxl",
    "read_recording": "ecgimn.formats",
}
__all__ = [*sorted(_HOME), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgimn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
