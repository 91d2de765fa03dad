"""The ECG and its evidence on paper: PDF, SVG and PNG true to the millimetre."""
