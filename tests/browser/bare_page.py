"""A page with one chart of twelve lines and nothing else: what any page with a chart costs a browser."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.plotly_chart(go.Figure([go.Scatter(y=np.full(5000, row, np.float32)) for row in range(12)]))
