"""Drawing: one geometry in millimetres, rendered by Plotly for the screen and by matplotlib for paper."""
