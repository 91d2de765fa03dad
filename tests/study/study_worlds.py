"""Small audits for the tests: made-up cases, a made-up model, readers that answer at random."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ecgimn.leads import STANDARD_LEADS
from ecgimn.sources.ptbxl import SUPERCLASSES
from ecgimn.study.definition import KIND, Arm, Audit, AuditCase
from ecgimn.study.session import ModelAnswer, Reading
from ecgimn.study.store import Store

SHA = hashlib.sha256(b"weights").hexdigest()
ARMS = (Arm("with evidence"), Arm("without", method="none"))


def small_audit(
    n_cases: int = 6, *, arms: tuple[Arm, ...] = ARMS, name_of: object = "Made up", **settings: Any
) -> Audit:
    """An audit of cases that exist nowhere; labels take turns. `name_of` tells audits in a shared store apart."""
    cases = tuple(
        AuditCase(f"ptbxl:{i + 1}", hashlib.sha256(str(i).encode()).hexdigest(), (SUPERCLASSES[i % 5],))
        for i in range(n_cases)
    )
    return Audit(
        name=str(name_of), model="m", model_sha256=SHA, classes=SUPERCLASSES, cases=cases, arms=arms, **settings
    )


def keep(store: Store, audit: Audit) -> Audit:
    store.add_study(audit.uid, audit.name, KIND, audit.text)
    return audit


def made_up_answer(seed: int, *, sha: str = SHA) -> ModelAnswer:
    """What a model might say; the second class has all its evidence in V2 at 1 s."""
    rng = np.random.default_rng(seed)
    maps = rng.normal(0, 0.01, (5, 12, 250)).astype(np.float16)
    maps[1, STANDARD_LEADS.index("V2"), 25] = 3.0
    probability = rng.dirichlet(np.ones(5))
    return ModelAnswer(
        SUPERCLASSES, tuple(np.log(probability).round(6).tolist()), tuple(probability.round(6).tolist()), (0.1,) * 5,
        maps, "m", sha, 1e-7,
    )  # fmt: skip


def box(lead: str = "V2", start: float = 1000, stop: float = 1040) -> dict[str, Any]:
    return {"lead": lead, "start_ms": start, "stop_ms": stop, "note": ""}


def read_case(reading: Reading, place: int, rng: np.random.Generator) -> None:
    """Go through one case, as a reader with no opinion would."""
    reading.open(place)
    while (step := reading.state(place).step) is not None:
        if step in ("model", "evidence"):
            seed = int(reading.plan[place - 1].case.ref.split(":")[1])
            reading.reveal(place, step, made_up_answer(seed))
        elif step == "rating":
            ratings = {item: int(rng.integers(-3, 4)) for item in ("relevant", "helpful", "trust")}
            reading.commit(place, step, {**ratings, "text": "=cmd", "missed": [box("II")]})
        else:
            primary = SUPERCLASSES[int(rng.integers(5))]
            answer = {"primary": primary, "also": ["STTC"], "confidence": int(rng.integers(1, 6)), "boxes": [box()]}
            reading.commit(place, step, answer)
