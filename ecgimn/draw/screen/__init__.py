"""The ECG and its evidence on the screen: Plotly figures and what is laid under them."""
