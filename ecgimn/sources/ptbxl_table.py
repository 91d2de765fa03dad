"""PTB-XL's table: the published columns, parsed, and the labels that follow from them.

Labels follow the benchmark of Strodthoff et al. (doi:10.1109/JBHI.2020.3022989): every diagnostic statement counts,
whatever its likelihood; folds 1 to 8 train, 9 chooses, 10 tests.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ecgimn.errors import SourceError

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
TRAINING_FOLDS = tuple(range(1, 9))
FOLDER_VARIABLE = "ECGIMN_PTBXL"

_AGE_90_OR_OLDER = 300  # how the publisher stores ages above 89
_NEEDED_COLUMNS = ("age", "sex", "strat_fold", "scp_codes", "filename_lr", "filename_hr")
#: Columns of names, and the kind of statement in scp_statements.csv that each lists.
_LISTS = {"diagnostic_subclass": "diagnostic", "rhythm": "rhythm", "form": "form"}
#: Some copies of the table write these names without the published underscore.
_PUBLISHED_SPELLING = {name.strip("_"): name for name in ("_AVB", "ISC_", "NST_", "NT_", "STD_", "STE_", "TAB_")}
_STATEMENT_COLUMNS = ("diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass")


def read_table(path: Path | None, find_statements: Callable[[], Path | None]) -> pd.DataFrame:
    """Read ptbxl_database.csv.

    Parameters
    ----------
    path : path or None
        None when the table is not there.
    find_statements : callable
        Returns the path of scp_statements.csv, or None; called only when labels must be derived.

    Returns
    -------
    DataFrame
        Indexed by ecg_id, the published columns, with `age` 300 written as 90, `scp_codes` as {statement: likelihood},
        and added where they are not there: the five superclasses (0 or 1), `diagnostic_subclass`, `rhythm` and `form`
        (tuples of names in the published spelling) and `seen_in_training` (folds 1 to 8).

    Raises
    ------
    SourceError
        The table or the statements are missing, or do not have the published columns and values.
    """
    if path is None:
        raise SourceError(
            "ptbxl_database.csv is not in the PTB-XL folder. The published table is needed. "
            f"Set {FOLDER_VARIABLE} to the folder that holds it."
        )
    table = _read_csv(path, ("ecg_id", *_NEEDED_COLUMNS)).set_index("ecg_id").sort_index()
    if table.index.has_duplicates or not pd.api.types.is_integer_dtype(table.index):
        raise SourceError(
            "The ecg_id column of ptbxl_database.csv holds doubles or no numbers. One number per record is needed. "
            "Download the table again."
        )
    codes = [_codes(text) for text in table["scp_codes"]]
    table["scp_codes"] = pd.Series(codes, index=table.index, dtype=object)
    table["age"] = table["age"].where(table["age"] != _AGE_90_OR_OLDER, 90.0)
    for column in _LISTS:
        if column in table.columns:
            table[column] = pd.Series([_names(text) for text in table[column]], index=table.index, dtype=object)
    if any(name not in table.columns for name in (*SUPERCLASSES, *_LISTS)):
        _derive_labels(table, codes, _statements(find_statements()))
    table = table.astype(dict.fromkeys(SUPERCLASSES, "uint8"))
    table["seen_in_training"] = table["strat_fold"].isin(TRAINING_FOLDS)
    return table


def _derive_labels(table: pd.DataFrame, codes: list[dict[str, float]], statements: pd.DataFrame) -> None:
    """Add the label columns that the table does not have, from its statements."""
    for column, kind in _LISTS.items():
        if column not in table.columns:
            named = statements[statements[kind] == 1]
            target = named["diagnostic_subclass"] if column == "diagnostic_subclass" else named.index.to_series()
            names = target.dropna().to_dict()
            values = [_mapped(record, names) for record in codes]
            table[column] = pd.Series(values, index=table.index, dtype=object)
    if any(name not in table.columns for name in SUPERCLASSES):
        classes = statements.loc[statements["diagnostic"] == 1, "diagnostic_class"].dropna().to_dict()
        found = [_mapped(record, classes) for record in codes]
        for name in SUPERCLASSES:
            table[name] = [name in record for record in found]


def _statements(path: Path | None) -> pd.DataFrame:
    if path is None:
        raise SourceError(
            "scp_statements.csv is not in the PTB-XL folder. It turns statements into the five classes. "
            "Put it beside ptbxl_database.csv."
        )
    statements = _read_csv(path, _STATEMENT_COLUMNS)
    return statements.set_index(statements.columns[0])


def _read_csv(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a table and see that it has the published columns."""
    try:
        table = pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as exc:
        raise SourceError(f"{path.name} cannot be read. The published table is needed. Download it again.") from exc
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise SourceError(
            f"{path.name} has no column {', '.join(missing)}. The published columns are needed. Download it again."
        )
    return table


def _mapped(record: dict[str, float], target: dict[str, str]) -> tuple[str, ...]:
    """Return what a record's codes map to, each once, in the order of the codes."""
    return tuple(dict.fromkeys(target[code] for code in record if code in target))


def _codes(text: object) -> dict[str, float]:
    """Return the statements of one cell with their likelihoods; an empty cell gives none."""
    value = _literal(text) if isinstance(text, str) else {}
    if not isinstance(value, dict):
        raise _bad_cell()
    try:
        return {str(code): float(likelihood) for code, likelihood in value.items()}
    except (TypeError, ValueError) as exc:
        raise _bad_cell() from exc


def _names(text: object) -> tuple[str, ...]:
    """Return the list of names in one cell; an empty cell gives none."""
    value = _literal(text) if isinstance(text, str) else []
    if not isinstance(value, list):
        raise _bad_cell()
    return tuple(_PUBLISHED_SPELLING.get(str(name), str(name)) for name in value)


@lru_cache(maxsize=4096)
def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as exc:
        raise _bad_cell() from exc


def _bad_cell() -> SourceError:
    return SourceError(
        "A cell of ptbxl_database.csv cannot be read. Codes as published are needed. Download the table again."
    )
