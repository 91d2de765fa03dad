"""A list of PTB-XL records for a teaching round or an audit, as a small CSV that another site can read back.

It holds numbers and folds and no label, so that readers who get the file stay blind to the answers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence

from ecgimn.errors import SourceError
from ecgimn.intended_use import INTENDED_USE
from ecgimn.sources.search import SEEN, SearchTable

MAX_BYTES = 1_000_000  # all 21,799 records take 0.4 MB
_COLUMNS = ("ecg_id", "fold", "seen_in_training")


def write_case_list(ids: Sequence[int], table: SearchTable) -> bytes:
    """Return a case list as CSV: record, fold, and whether the models were trained on it."""
    text = io.StringIO()
    text.write(f"# {INTENDED_USE}\n# PTB-XL 1.0.3, doi:10.13026/kfzx-aw45, CC BY 4.0\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    chosen = table.shown.loc[list(ids)]
    for ecg_id, fold, seen in zip(chosen.index, chosen["fold"], chosen[SEEN], strict=True):
        rows.writerow((int(ecg_id), int(fold), "yes" if seen else "no"))
    return text.getvalue().encode("ascii")


def read_case_list(data: bytes, known: Collection[int]) -> tuple[int, ...]:
    """Return the records of a case list, in its order and each once.

    Parameters
    ----------
    data : bytes
        CSV or plain lines; the first cell of each line is a record's number. Comments (#) and one header line are
        passed over.
    known : collection of int
        Numbers of the records in the table.

    Raises
    ------
    SourceError
        The list is too large, is no text, holds no number or one that is not in the table.
    """
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"The case list has {len(data):,} bytes. At most {MAX_BYTES:,} are read. Choose a list of record numbers."
        )
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise SourceError("The case list is no text. One record number per line is needed. Choose a CSV file.") from exc
    cells = [line.replace(";", ",").split(",")[0].strip(" \t\"'") for line in lines]
    cells = [cell for cell in cells if cell and not cell.startswith("#")]
    if cells and not cells[0].isdecimal():
        del cells[0]  # names of the columns
    wrong = [place for place, cell in enumerate(cells) if not (cell.isdecimal() and len(cell) <= 6)]
    if not cells or wrong:
        found = "no record number" if not cells else f"{len(wrong):,} lines that do not begin with a record number"
        raise SourceError(f"The case list holds {found}. One number per line is needed. Correct the list.")
    ids = tuple(dict.fromkeys(int(cell) for cell in cells))
    unknown = [ecg_id for ecg_id in ids if ecg_id not in known]
    if unknown:
        raise SourceError(
            f"{len(unknown):,} of {len(ids):,} records of the case list are not in this table, the first is "
            f"{unknown[0]}. Numbers of this PTB-XL table are needed. Correct the list, or use the complete table."
        )
    return ids
