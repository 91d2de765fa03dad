"""Reads a 12-lead ECG and shows which millivolts of which lead and wave a network's answer is made of.

The model is the ECG-IMN of Thambawita et al., arXiv:2602.09566: it writes a linear model for each recording, so the
answer is a sum of contributions, one per sample of the trace.

For research, teaching and qualitative audit of ECG explanations. Not a medical device; not for diagnosis, triage,
monitoring or patient care.

From a notebook::

    from ecgimn import load_composite, load_model, open_case

    recording = load_composite("imi-st")  # or read_recording("case.hea"); list_composites() names them
    case = open_case(recording, load_model())  # checks the quality; waves, findings, weights, ledger
    evidence = case.of("MI")  # contribution of every sample, in logit
    evidence.by_territory(), evidence.bias, evidence.logit

`import ecgimn` is quick and needs neither PyTorch nor a weights file: each name below is fetched when first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# Read once, as onnxruntime is imported. Without it, onnxruntime sends telemetry to its vendor under a device identifier
# that it keeps in the user's cache folder; `onnxruntime.disable_telemetry_events()` comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from ecgimn.errors import EcgImnError as EcgImnError
    from ecgimn.explain.case import Case as Case
    from ecgimn.explain.case import Evidence as Evidence
    from ecgimn.explain.case import open_case as open_case
    from ecgimn.explain.explanation import Explanation as Explanation
    from ecgimn.explain.ledger import Ledger as Ledger
    from ecgimn.explain.ledger import make_ledger as make_ledger
    from ecgimn.formats import read_recording as read_recording
    from ecgimn.leads import STANDARD_LEADS as STANDARD_LEADS
    from ecgimn.model.model import Model as Model
    from ecgimn.model.model import list_models as list_models
    from ecgimn.model.model import load_model as load_model
    from ecgimn.recording import Recording as Recording
    from ecgimn.signal.reading import SignalReading as SignalReading
    from ecgimn.signal.reading import read_signal as read_signal
    from ecgimn.sources.composites.case import list_composites as list_composites
    from ecgimn.sources.composites.case import load_composite as load_composite
    from ecgimn.sources.ptbxl import open_ptbxl as open_ptbxl

__version__ = "0.1.0"

_HOME = {
    "Case": "ecgimn.explain.case",
    "EcgImnError": "ecgimn.errors",
    "Evidence": "ecgimn.explain.case",
    "Explanation": "ecgimn.explain.explanation",
    "Ledger": "ecgimn.explain.ledger",
    "Model": "ecgimn.model.model",
    "Recording": "ecgimn.recording",
    "STANDARD_LEADS": "ecgimn.leads",
    "SignalReading": "ecgimn.signal.reading",
    "list_composites": "ecgimn.sources.composites.case",
    "list_models": "ecgimn.model.model",
    "load_composite": "ecgimn.sources.composites.case",
    "load_model": "ecgimn.model.model",
    "make_ledger": "ecgimn.explain.ledger",
    "open_case": "ecgimn.explain.case",
    "open_ptbxl": "ecgimn.sources.ptbxl",
    "read_recording": "ecgimn.formats",
    "read_signal": "ecgimn.signal.reading",
}
__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ecgimn' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
