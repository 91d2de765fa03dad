"""What the reader has chosen to see: the state of a picture, small enough to save, link and print on every export."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ecgimn.draw.paper import (
    GAINS_MM_PER_MV,
    LAYOUTS,
    SPEEDS_MM_PER_S,
    STANDARD_GAIN_MM_PER_MV,
    STANDARD_SPEED_MM_PER_S,
    LayoutName,
    PaperLayout,
    paper_layout,
)
from ecgimn.leads import lead_index

if TYPE_CHECKING:
    from ecgimn.recording import Recording

Quantity = Literal["contribution", "weights"]
Style = Literal["band", "line", "blocks"]

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
STYLES: tuple[Style, ...] = get_args(Style)


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
    style : {"band", "line", "blocks"}
        Band behind the lead, coloured line along the trace, or one block per wave.
    opacity : float
        Of the evidence, 0 to 1.
    limit : float or None
        End of the colour scale in logit (weights: logit per mV) per 40 ms; None: 99th percentile of this record.
    show_strip, show_st, show_t, show_uncertainty : bool
        Strip of signed area under each lead; ST segments with J points; T waves; hatch where the spread over seeds is
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

    layout: LayoutName = "12x1"
    speed: float = STANDARD_SPEED_MM_PER_S
    gain: float = STANDARD_GAIN_MM_PER_MV
    cabrera: bool = False
    simultaneous: bool = False
    page: int = 0
    overlay: bool = True
    quantity: Quantity = "contribution"
    style: Style = "band"
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

    def paper(self, duration_s: float, headroom_mm: tuple[float, float] = (0.0, 0.0)) -> PaperLayout:
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
        )

    def paper_for(
        self, recording: Recording, headroom_mm: float, tallest_mm: float = np.inf
    ) -> tuple[PaperLayout, tuple[str, ...]]:
        """Return the paper with room for the tallest waves, and the labels of the leads that still leave it.

        Parameters
        ----------
        recording : Recording
        headroom_mm : float
            The most that may be added above the first and below the last baseline.
        tallest_mm : float
            The most the paper may measure in all; waves beyond it are drawn past its border.
        """
        layout = self.paper(recording.duration_s)
        top, bottom = max(layout.baselines_mm), min(layout.baselines_mm)
        reach: dict[str, tuple[float, float]] = {}
        for panel in layout.panels:
            row = recording.signal[lead_index(panel.lead), panel.samples(recording.fs, recording.n_samples)]
            if np.isfinite(row).any():
                mm = np.asarray(layout.voltage_mm(panel, row))
                reach[panel.label] = (float(np.nanmax(mm)) - top, bottom - float(np.nanmin(mm)))
        room = (
            max((up for up, _ in reach.values()), default=0.0),
            max((down for _, down in reach.values()), default=0.0),
        )
        above, below = (min(length + 1.0, headroom_mm) for length in room)
        taller = self.paper(recording.duration_s, (above, below))
        if taller.height_mm > tallest_mm:
            spare = max(tallest_mm - layout.height_mm, 0.0)
            above = min(above, layout.height_mm - top + spare)
            taller = self.paper(recording.duration_s, (above, 0.0))
            if taller.height_mm > tallest_mm:
                taller = layout
        top, bottom = taller.height_mm - max(taller.baselines_mm), min(taller.baselines_mm)
        return taller, tuple(label for label, (up, down) in reach.items() if up > top or down > bottom)

    def as_dict(self) -> dict[str, Any]:
        """Return the view as plain values for JSON; `View(**values)` brings it back."""
        return asdict(self)
