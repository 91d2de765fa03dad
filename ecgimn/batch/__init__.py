"""Thousands of recordings: explained by worker processes or a Dask cluster into Parquet, resumable, and read back."""
