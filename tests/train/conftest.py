"""What the tests of training share: a few hundred records of PTB-XL, read in a second where the whole takes ten."""

from __future__ import annotations

import ast
import csv
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

KEPT = {9: 240} | dict.fromkeys(range(1, 9), 30)  # records of each fold, beside the first with each statement


@pytest.fixture(scope="session")
def part_of_ptbxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the first records at 100 Hz of each fold and of each statement, and a table of them."""
    whole = os.environ.get("ECGIMN_PTBXL")
    if not whole:
        pytest.skip("ECGIMN_PTBXL does not name a PTB-XL folder")
    source, folder = Path(whole), tmp_path_factory.mktemp("ptbxl")
    shutil.copy(source / "scp_statements.csv", folder)
    taken: Counter[int] = Counter()
    held: set[tuple[bool, str]] = set()
    with (source / "ptbxl_database.csv").open(newline="") as table:
        reader = csv.DictReader(table)
        columns, rows = list(reader.fieldnames or ()), list(reader)
    with (folder / "ptbxl_database.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            fold = int(row["strat_fold"])
            told = {(fold == 9, name) for cell in ("scp_codes", "form", "rhythm") for name in _names(row.get(cell, ""))}
            files = [source / f"{row['filename_lr']}{end}" for end in (".hea", ".dat")]
            if fold not in KEPT or (taken[fold] >= KEPT[fold] and told <= held) or not files[0].is_file():
                continue
            taken[fold] += 1
            held |= told
            writer.writerow(row)
            for file in files:
                copy = folder / file.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, copy)
    return folder


def _names(cell: str) -> list[str]:
    return [str(name) for name in ast.literal_eval(cell)] if cell else []
