import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from PIL import Image

from ecgimn.draw.colours import N_STEPS, evidence_colours, evidence_index
from ecgimn.draw.evidence import (
    TRANSPARENT,
    bin_starts,
    block_density,
    evidence_map,
    moving_sum,
    overlay_indices,
    overlay_webp,
    panel_cell,
    robust_limit,
)
from ecgimn.draw.paper import LAYOUTS, paper_layout
from ecgimn.draw.print.ecg import print_raster
from ecgimn.draw.screen.parts import strip_path
from ecgimn.draw.view import View
from ecgimn.leads import STANDARD_LEADS
from tests.draw.conftest import make_evidence

MI = View(style="band")


def oklab_lightness(colours):
    linear = colours / 255.0
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    to_lms = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                       [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
    return np.cbrt(linear @ to_lms.T) @ [0.2104542553, 0.7936177850, -0.0040720468]


@pytest.mark.parametrize("dark", [False, True])
def test_the_scale_is_even_symmetric_and_the_paper_at_exactly_zero(dark):
    colours = evidence_colours(dark=dark)
    lightness = oklab_lightness(colours.astype(float))
    assert evidence_index(np.array([0.0]), 1.0) == N_STEPS
    assert tuple(colours[N_STEPS]) == ((0x14, 0x18, 0x1D) if dark else (255, 255, 255))
    np.testing.assert_allclose(lightness, lightness[::-1], atol=0.01)
    steps = np.diff(lightness[N_STEPS:])
    np.testing.assert_allclose(steps, steps.mean(), atol=0.006)


@pytest.mark.parametrize("dark", [False, True])
def test_positive_is_orange_and_negative_is_blue(dark):
    (low_red, _, low_blue), (high_red, _, high_blue) = evidence_colours(dark=dark)[[0, -1]].astype(int)
    assert low_blue - low_red > 90
    assert high_red - high_blue > 90


@given(values=arrays(float, 50, elements=some.floats(-3, 3)))
def test_turning_the_sign_mirrors_the_colour(values):
    np.testing.assert_array_equal(
        evidence_index(-values, 1.0).astype(int), 2 * N_STEPS - evidence_index(values, 1.0).astype(int)
    )


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0, 1000.0])
@pytest.mark.parametrize("name", LAYOUTS)
def test_bins_of_a_panel_add_up_to_its_samples(another_recording, another_evidence, name, fs):
    recording = another_recording(fs)
    drawn = evidence_map(another_evidence(recording), MI)
    layout = paper_layout(name, recording.duration_s)
    for panel in layout.panels:
        row = drawn.values[STANDARD_LEADS.index(panel.lead), panel.samples(fs, recording.n_samples)]
        assert drawn.panel_bins(panel).sum() == pytest.approx(row.sum(), abs=1e-12)


@pytest.mark.parametrize("fs", [100.0, 257.0, 500.0])
def test_bins_are_disjoint_and_cover_all_samples(fs):
    starts = bin_starts(round(10 * fs), fs)
    assert starts[0] == 0
    assert len(starts) == 250
    assert np.abs(np.diff(starts) - 0.04 * fs).max() <= 1


def test_each_leads_sum_is_its_ledger_row_and_two_leads_differ(evidence):
    drawn = evidence_map(evidence, MI)
    sums = dict(zip(STANDARD_LEADS, drawn.values.sum(axis=1).tolist(), strict=True))
    for lead in STANDARD_LEADS:
        assert sums[lead] == pytest.approx(evidence.by_lead()[lead], abs=1e-12)
    assert len({round(total, 9) for total in sums.values()}) == 12
    assert sum(sums.values()) + evidence.baseline + evidence.bias == pytest.approx(evidence.logit, abs=1e-9)


def test_the_density_is_the_sum_over_40_ms():
    values = np.ones((12, 1000))
    np.testing.assert_allclose(moving_sum(values, 500.0)[:, 20:-20], 20.0)
    np.testing.assert_allclose(moving_sum(values[:, :200], 100.0)[:, 4:-4], 4.0)


def test_one_limit_for_all_leads_is_the_99th_percentile_of_the_bins(evidence):
    drawn = evidence_map(evidence, MI)
    bins = evidence.contribution.reshape(12, 250, 20).sum(axis=2)
    exact = np.percentile(np.abs(bins), 99)
    assert exact <= drawn.limit <= 1.1 * exact
    assert drawn.limit == float(f"{drawn.limit:.2g}")
    assert robust_limit(np.zeros((12, 500)), 500.0) == 1.0
    assert evidence_map(evidence, replace(MI, limit=0.5)).limit == 0.5


def test_a_contrast_is_the_difference_of_two_classes(case):
    drawn = evidence_map(case.of("MI", "NORM"), MI)
    each = [evidence_map(case.of(name), MI).values for name in ("MI", "NORM")]
    np.testing.assert_allclose(drawn.values, each[0] - each[1])
    assert drawn.name == "MI − NORM"


def test_contributions_refer_voltages_to_the_isoelectric_level(recording):
    level = np.linspace(-0.1, 0.1, 12)
    evidence = make_evidence(recording, levels=level)
    values = evidence_map(evidence, MI).values
    np.testing.assert_allclose(values, evidence.weights * (recording.signal - level[:, None]), atol=1e-12)
    assert np.abs(values - evidence.weights * recording.signal).max() > 1e-3 * np.abs(values).max()


def test_weights_of_a_lead_drawn_upside_down_change_sign_and_contributions_do_not(evidence):
    layout = paper_layout("12x1", 10.0, cabrera=True)
    turned = next(panel for panel in layout.panels if panel.label == "-aVR")
    contribution, weights = evidence_map(evidence, MI), evidence_map(evidence, replace(MI, quantity="weights"))
    assert contribution.panel_bins(turned).sum() == pytest.approx(evidence.contribution[3].sum())
    assert weights.panel_bins(turned).sum() == pytest.approx(-evidence.weights[3].sum())


@pytest.mark.parametrize(("name", "least", "most"), [("12x1", 1, 1), ("3x4+1R", 0.2, 0.5), ("6x2", 0.35, 0.65)])
def test_the_share_shown_counts_what_a_layout_cuts_off(evidence, name, least, most):
    drawn = evidence_map(evidence, MI)
    share = drawn.shown_share(paper_layout(name, 10.0))
    assert least <= share <= most
    mask = paper_layout(name, 10.0).mask(500.0, 5000)
    size = np.abs(evidence.contribution)
    assert share == pytest.approx(size[mask].sum() / size.sum())


def test_blocks_hold_the_mean_of_their_wave_and_keep_its_sum(evidence, waves):
    values = evidence.contribution
    blocks = block_density(values, waves)
    span = slice(int(waves.qrs_onset[0, 2]), int(waves.qrs_offset[0, 2]))
    assert np.ptp(blocks[4, span]) == 0
    np.testing.assert_allclose(blocks.sum(axis=1) / 20, values.sum(axis=1), atol=1e-12)


def test_blocks_without_waves_are_refused(recording, evidence):
    drawn = evidence_map(evidence, MI)
    with pytest.raises(ValueError, match="needs the waves"):
        overlay_indices(drawn, paper_layout("12x1", 10.0), View(style="blocks"), recording)


@pytest.mark.parametrize("style", ["band", "line", "blocks"])
def test_the_picture_is_transparent_outside_and_mirrors_when_the_sign_turns(
    recording, evidence, opposite, waves, style
):
    view, layout = replace(MI, style=style), paper_layout("12x1", 10.0)
    raster, turned = (
        overlay_indices(evidence_map(maps, view), layout, view, recording, waves) for maps in (evidence, opposite)
    )
    drawn = raster != TRANSPARENT
    assert 0.005 < drawn.mean() < 0.95
    np.testing.assert_array_equal(drawn, turned != TRANSPARENT)
    np.testing.assert_allclose(raster[drawn].astype(int) + turned[drawn], 2 * N_STEPS, atol=1)
    assert (raster != turned).any()


def test_plus_and_minus_differ_in_grey_print(recording, evidence, opposite):
    layout = paper_layout("12x1", 10.0)
    grey = []
    for maps in (evidence, opposite):
        raster = overlay_indices(evidence_map(maps, MI), layout, MI, recording)
        grey.append(np.asarray(Image.fromarray(print_raster(raster, 2, 4, 0.9)).convert("L"), dtype=int))
    strong = np.repeat(np.repeat(np.abs(raster.astype(int) - N_STEPS) > 30, 4, axis=0), 2, axis=1)
    strong &= np.repeat(np.repeat(raster != TRANSPARENT, 4, axis=0), 2, axis=1)
    assert (np.abs(grey[0] - grey[1])[strong] > 15).mean() > 0.35  # the hatch covers two fifths


def test_the_strip_of_the_opposite_map_is_its_mirror_image(evidence, opposite):
    layout = paper_layout("12x1", 10.0)
    assert strip_path(layout, evidence_map(evidence, MI)) != strip_path(layout, evidence_map(opposite, MI))


def test_the_colour_of_a_column_is_the_evidence_of_its_time(recording, evidence):
    layout, drawn = paper_layout("12x1", 10.0), evidence_map(evidence, MI)
    raster = overlay_indices(drawn, layout, MI, recording)
    panel = layout.panels[7]  # V2
    cell = panel_cell(layout, panel)
    row = round((layout.height_mm - (cell.band_low + cell.band_high) / 2) * 2)
    columns = np.arange(1000)
    expected = evidence_index(drawn.density[7, (columns * 5 + 2)], drawn.limit)
    np.testing.assert_allclose(raster[row, :1000].astype(int), expected.astype(int), atol=6)


def test_bands_and_strips_of_neighbouring_rows_never_overlap():
    for name in LAYOUTS:
        layout = paper_layout(name, 10.0)
        cells = {panel.row: panel_cell(layout, panel) for panel in layout.panels}
        for row in range(len(cells) - 1):
            assert cells[row].strip_zero - cells[row].strip_half >= cells[row + 1].band_high
            assert cells[row].band_low > cells[row].strip_zero + cells[row].strip_half


@pytest.mark.parametrize("dark", [False, True])
def test_the_picture_is_small_exact_and_always_the_same(recording, evidence, dark):
    raster = overlay_indices(evidence_map(evidence, MI), paper_layout("12x1", 10.0), MI, recording)
    picture = overlay_webp(raster, dark=dark)
    assert picture == overlay_webp(raster.copy(), dark=dark)
    assert len(picture) < 12_000
    rgba = np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))
    seen = raster != TRANSPARENT
    np.testing.assert_array_equal(rgba[..., 3], np.where(seen, 255, 0))
    np.testing.assert_array_equal(rgba[seen, :3], evidence_colours(dark=dark)[raster[seen]])


def test_uncertain_evidence_is_hatched_only_when_asked(recording, evidence):
    layout, view = paper_layout("12x1", 10.0), replace(MI, show_uncertainty=True)
    plain = overlay_indices(evidence_map(evidence, MI), layout, MI, recording)
    drawn = evidence_map(evidence, view)
    hatched = overlay_indices(drawn, layout, view, recording)
    gone = (plain != TRANSPARENT) & (hatched == TRANSPARENT)
    assert 0 < gone.sum() < 0.5 * (plain != TRANSPARENT).sum()
    np.testing.assert_array_equal(plain[~gone], hatched[~gone])
