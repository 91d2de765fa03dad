"""What the reader has chosen to see: the state of a picture, small enough to save, link and print on every export."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ecgimn.draw.paper import (
    BOLD_MM,
    GAINS_MM_PER_MV,
    LAYOUTS,
    PITCH_RANGE_MM,
    SPEEDS_MM_PER_S,
    STANDARD_GAIN_MM_PER_MV,
    STANDARD_SPEED_MM_PER_S,
    LayoutName,
    Panel,
    PaperLayout,
    paper_layout,
    up_to_bold,
)
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording

Quantity = Literal["contribution", "weights"]
Style = Literal["painted", "band", "line", "blocks"]

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
STYLES: tuple[Style, ...] = get_args(Style)
CLEAR_MM = 1.0  # between the deepest wave of a row and the tallest below it


@dataclass(frozen=True)
class View:
    """How a recording and its explanation are shown.

    Attributes
    ----------
    layout : {"12x1", "3x4+1R", "3x4+3R", "6x2"}
    speed, gain : float
        mm/s and mm/mV.
    cabrera, simultaneous : bool
        Order of the limb leads; columns from the same moment.
    page : int
        Sheet, from 0, of a recording that needs more than one.
    overlay : bool
        Whether the evidence is drawn; the grid is grey while it is.
    quantity : {"contribution", "weights"}
        Weight times voltage about the isoelectric level, in logit; or the weights in logit per mV.
    style : {"painted", "band", "line", "blocks"}
        Area between trace and isoelectric line, band behind the lead, coloured line along the trace, or one block per
        wave. Weights have no area and are drawn as a band in place of "painted".
    opacity : float
        Of the evidence, 0 to 1.
    limit : float or None
        End of the colour scale in logit (weights: logit per mV) per 40 ms; None: the largest value of this record
        ("painted") or its 99th percentile.
    show_strip, show_st, show_t, show_uncertainty : bool
        Signed strip under each lead; ST segments with J points; T waves; hatch where the spread over seeds is
        larger than the value. The "line" style leaves ST segments and T waves out: there the colour along the trace is
        the evidence.
    dark : bool
        Light lines on dark paper.
    filter_name : str
        Name and corner frequencies of the display filter that was applied to the samples drawn.

    Raises
    ------
    ValueError
        A value is none of those allowed.
    """

    layout: LayoutName = "3x4+1R"
    speed: float = STANDARD_SPEED_MM_PER_S
    gain: float = STANDARD_GAIN_MM_PER_MV
    cabrera: bool = False
    simultaneous: bool = False
    page: int = 0
    overlay: bool = True
    quantity: Quantity = "contribution"
    style: Style = "painted"
    opacity: float = 0.9
    limit: float | None = None
    show_strip: bool = True
    show_st: bool = True
    show_t: bool = True
    show_uncertainty: bool = False
    dark: bool = False
    filter_name: str = "none"

    def __post_init__(self) -> None:
        for parameter, allowed in (
            ("layout", LAYOUTS),
            ("speed", SPEEDS_MM_PER_S),
            ("gain", GAINS_MM_PER_MV),
            ("quantity", QUANTITIES),
            ("style", STYLES),
        ):
            if getattr(self, parameter) not in allowed:
                choices = ", ".join(repr(choice) for choice in allowed)
                raise ValueError(
                    f"Invalid value for the {parameter!r} parameter: {getattr(self, parameter)!r}. "
                    f"Allowed values are {choices}."
                )
        if not 0 <= self.opacity <= 1:
            raise ValueError(f"Invalid value for the 'opacity' parameter: {self.opacity!r}. It must be 0 to 1.")
        if self.limit is not None and not self.limit > 0:
            raise ValueError(f"Invalid value for the 'limit' parameter: {self.limit!r}. It must be positive or None.")

    @property
    def is_painted(self) -> bool:
        """Whether areas are painted; weights, which have none, are not."""
        return self.style == "painted" and self.quantity != "weights"

    def with_marks_for(self, *, evidence: bool) -> View:
        """Return the view without coloured ST segments and T waves where evidence colours the trace itself."""
        if evidence and self.style == "line":
            return replace(self, show_st=False, show_t=False)
        return self

    def of_the_trace(self) -> View:
        """Return the view with all that concerns evidence at its defaults: views that draw the same trace are equal."""
        plain = View()
        return replace(
            self.with_marks_for(evidence=self.overlay),
            overlay=plain.overlay,
            quantity=plain.quantity,
            style=plain.style,
            opacity=plain.opacity,
            limit=plain.limit,
            show_strip=plain.show_strip,
            show_uncertainty=plain.show_uncertainty,
        )

    def paper(
        self, duration_s: float, headroom_mm: tuple[float, float] = (0.0, 0.0), pitch_mm: float | None = None
    ) -> PaperLayout:
        """Return the paper of this view for a recording of `duration_s` seconds."""
        return paper_layout(
            self.layout,
            duration_s,
            speed=self.speed,
            gain=self.gain,
            cabrera=self.cabrera,
            simultaneous=self.simultaneous,
            page=self.page,
            headroom_mm=headroom_mm,
            pitch_mm=pitch_mm,
        )

    def paper_for(
        self, recording: Recording, headroom_mm: float, tallest_mm: float = np.inf
    ) -> tuple[PaperLayout, tuple[str, ...]]:
        """Return the paper with room for the tallest waves, and the labels of the leads that still leave it.

        The distance of the rows follows the recording: no lead reaches into another, within `PITCH_RANGE_MM`.

        Parameters
        ----------
        recording : Recording
        headroom_mm : float
            The most that may be added above the first and below the last baseline.
        tallest_mm : float
            The most the paper may measure in all; rows move together for it, and waves beyond it are drawn past its
            border.
        """
        usual = self.paper(recording.duration_s)
        reach: dict[str, tuple[float, float]] = {}  # of each panel, above and below its own baseline
        panels: dict[str, Panel] = {}
        for panel in usual.panels:
            row = recording.signal[lead_index(panel.lead), panel.samples(recording.fs, recording.n_samples)]
            if np.isfinite(row).any():
                mm = np.asarray(usual.voltage_mm(panel, row)) - panel.baseline_mm
                name = f"{panel.label} rhythm" if panel.rhythm else panel.label
                reach[name], panels[name] = (float(np.nanmax(mm)), -float(np.nanmin(mm))), panel
        least, most = PITCH_RANGE_MM[self.layout]
        pitch = min(max(up_to_bold(_closest_rows_mm(panels, reach)), least), most)
        last = max(panel.row for panel in usual.panels)
        above = min(max([reach[n][0] + 1.0 for n, panel in panels.items() if panel.row == 0], default=0.0), headroom_mm)
        below = min(
            max([reach[n][1] + 1.0 for n, panel in panels.items() if panel.row == last], default=0.0), headroom_mm
        )
        layout = self.paper(recording.duration_s, (above, below), pitch)
        while layout.height_mm > tallest_mm and pitch > least:
            pitch -= BOLD_MM
            layout = self.paper(recording.duration_s, (above, below), pitch)
        if layout.height_mm > tallest_mm:  # first the room below the last row goes, then that above the first
            bare = self.paper(recording.duration_s, pitch_mm=pitch)
            spare = max(tallest_mm - bare.height_mm, 0.0)
            top = bare.height_mm - max(bare.baselines_mm)
            layout = self.paper(recording.duration_s, (min(above, top + spare), 0.0), pitch)
            layout = bare if layout.height_mm > tallest_mm else layout
        high, low = layout.height_mm - max(layout.baselines_mm), min(layout.baselines_mm)
        beyond = [
            panel.label
            for name, panel in panels.items()
            if reach[name][0] > high + layout.pitch_mm * panel.row
            or reach[name][1] > low + layout.pitch_mm * (last - panel.row)
        ]
        return layout, tuple(dict.fromkeys(beyond))

    def as_dict(self) -> dict[str, Any]:
        """Return the view as plain values for JSON; `View(**values)` brings it back."""
        return asdict(self)


def _closest_rows_mm(panels: dict[str, Panel], reach: dict[str, tuple[float, float]]) -> float:
    """Return the least distance of rows at which no lead reaches into the one below it."""
    distances = [
        reach[upper][1] + reach[lower][0] + CLEAR_MM
        for upper, one in panels.items()
        for lower, other in panels.items()
        if other.row == one.row + 1 and (one.rhythm or other.rhythm or one.column == other.column)
    ]
    return max(distances, default=0.0)
