"""Probability of P, QRS and T, of kinds of beat and of rhythm, by openecg's network with its last layers precomputed.

The network is openecg's codec v6 (Apache-2.0, https://github.com/vitaldb/openecg), an int8 ONNX file inside the wheel
that reads one lead of 10 s at 500 Hz, rank-normalised. Its body writes 128 features for each of 500 frames of ten
samples. Its last layers repeat each frame ten times, refine by `x + conv(gelu(conv(x)))` with five taps at 500 Hz, and
read sixteen logits off each sample: four of waves, six of the kind of beat, six of the rhythm. Two facts save two
thirds of the time:

- within a frame the repeated features are constant, so the first convolution has five different results per frame and
  not ten, each from at most two frames;
- nothing follows the second convolution but the linear read-out, so both are one convolution from 128 features to
  sixteen.

These layers are computed in 32-bit floats, where the file rounds its activations to eight bits before the read-out.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from ecgimn.leads import LIMB_FROM_I_II, STANDARD_LEADS, lead_index

if TYPE_CHECKING:
    import onnx
    import onnxruntime


NETWORK_FS = 500.0  # Hz, the rate of openecg's codec
NETWORK_SAMPLES = 5000  # the fixed window of its ONNX graph: 10 s
HEADS = ("head_sample", "beat_sample", "rhythm_sample")  # read-outs of the file, in this order
WAVES, BEATS, RHYTHMS = slice(0, 4), slice(4, 10), slice(10, 16)  # classes of each head among the sixteen
N_LOGITS = 16
FRAME = 10  # samples at 500 Hz that share their features
WIDTH = 128  # features of a frame
TAPS = 5  # of the two convolutions at 500 Hz
#: For each sample of a frame, which of the five different results of the first convolution it takes.
PHASE = np.array([0, 1, 2, 2, 2, 2, 2, 2, 3, 4])


class DelineatorMissingError(ImportError):
    """openecg, onnx or onnxruntime is not installed; the caller falls back on its second opinion."""


@lru_cache(maxsize=1)
def load_delineator() -> onnxruntime.InferenceSession:
    """Return the network of this process, on one thread: results do not depend on the machine's load.

    Raises
    ------
    DelineatorMissingError
        openecg, onnx or onnxruntime is not installed.
    """
    try:
        import onnx
        import onnxruntime
        from openecg.deploy import bundled_codec_onnx_path
    except ImportError as exc:
        raise DelineatorMissingError("openecg, onnx and onnxruntime are needed to find waves.") from exc
    model = onnx.load(str(bundled_codec_onnx_path("v6")))
    _replace_end(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def sample_logits(window: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits of each sample, shape (5000, 16), of one rank-normalised lead of 10 s, shape (5000,).

    Four of waves (other, P, QRS, T), six of the kind of beat, six of the rhythm: `WAVES`, `BEATS`, `RHYTHMS`.
    """
    plain, by_tap = load_delineator().run(["plain", "by_tap"], {"signal": window[None]})
    taps = by_tap.reshape(-1, 5, TAPS, N_LOGITS)[:, PHASE].reshape(NETWORK_SAMPLES, TAPS, N_LOGITS)
    logits = np.repeat(plain, FRAME, axis=0).astype(np.float64)
    for tap in range(TAPS):
        shift = tap - TAPS // 2
        if shift < 0:
            logits[-shift:] += taps[:shift, tap]
        else:
            logits[: NETWORK_SAMPLES - shift] += taps[shift:, tap]
    return logits


def _replace_end(model: onnx.ModelProto) -> None:
    """Cut the graph before it repeats its features, and end it with the two sums that `sample_logits` adds up."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = {output: node for node in model.graph.node for output in node.output}
    repeat = next(node for node in model.graph.node if node.op_type == "Resize")
    features = nodes[repeat.input[0]].input[0]  # (1, 500, 128), before they are turned to (1, 128, 500)
    constants = _end_matrices(model) | {
        "rows": np.array([-1, WIDTH]),
        "split": np.array([5 * WIDTH, 2 * WIDTH, 2 * WIDTH]),
        "as_after": np.array([-1, 3 * WIDTH, 1, 0]),  # rows move up by one frame, columns to the last two phases
        "as_before": np.array([1, 0, -1, 3 * WIDTH]),  # rows move down by one frame, columns to the first two phases
        "root": np.array(np.sqrt(2.0), dtype=np.float32),
        "one": np.array(1.0, dtype=np.float32),
        "half": np.array(0.5, dtype=np.float32),
    }
    needed, wanted = [], {features}
    for node in reversed(model.graph.node):  # in order of computation, so what a node needs comes before it
        if wanted & set(node.output):
            needed.append(node)
            wanted |= set(node.input)
    del model.graph.node[:], model.graph.output[:]  # onnxruntime would compute what nobody asks for
    model.graph.node.extend(reversed(needed))
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"end_{name}"))
    chain = (
        ("Reshape", (features, "end_rows"), ("frames",)),  # (500, 128)
        ("MatMul", ("frames", "end_first"), ("parts",)),  # (500, 9 * 128)
        ("Split", ("parts", "end_split"), ("own", "next_own", "last_own")),
        ("Pad", ("next_own", "end_as_after"), ("after",)),
        ("Pad", ("last_own", "end_as_before"), ("before",)),
        ("Sum", ("own", "after", "before", "end_first_bias"), ("phases",)),  # (500, 5 * 128)
        ("Div", ("phases", "end_root"), ("scaled",)),
        ("Erf", ("scaled",), ("erf",)),
        ("Add", ("erf", "end_one"), ("above",)),
        ("Mul", ("phases", "above"), ("doubled",)),
        ("Mul", ("doubled", "end_half"), ("active",)),
        ("Reshape", ("active", "end_rows"), ("active_rows",)),  # (2500, 128)
        ("MatMul", ("active_rows", "end_second"), ("by_tap",)),  # (2500, TAPS * N_LOGITS)
        ("MatMul", ("frames", "end_read_out"), ("unbiased",)),
        ("Add", ("unbiased", "end_bias"), ("plain",)),  # (500, N_LOGITS)
    )
    for kind, inputs, outputs in chain:
        node = helper.make_node(kind, inputs, outputs, name=f"end_{outputs[0]}")
        if kind == "Split":
            node.attribute.append(helper.make_attribute("axis", 1))
        model.graph.node.append(node)
    for name, width in (("plain", N_LOGITS), ("by_tap", TAPS * N_LOGITS)):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]))


def _end_matrices(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    """Return the first convolution (one frame onto nine parts), its bias, the second with the read-out, the rest."""
    import onnx

    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = {output: node for node in model.graph.node for output in node.output}
    taps = [held["model.refine.0.weight"][:, :, tap].T for tap in range(TAPS)]  # (in, out) each
    first = np.concatenate(
        [
            taps[2] + taps[3] + taps[4],  # own frame, sample 0: taps 0 and 1 lie in the frame before
            taps[1] + taps[2] + taps[3] + taps[4],
            sum(taps),
            taps[0] + taps[1] + taps[2] + taps[3],
            taps[0] + taps[1] + taps[2],
            taps[4],  # as the frame after: samples 8 and 9
            taps[3] + taps[4],
            taps[0] + taps[1],  # as the frame before: samples 0 and 1
            taps[0],
        ],
        axis=1,
    )
    heads = []
    for output in ("frame_logits", "beat_logits", "rhythm_logits"):
        quantised = nodes[output].input[0]
        while nodes[quantised].op_type != "MatMulInteger":
            quantised = nodes[quantised].input[0]
        name = nodes[quantised].input[1].removesuffix("_quantized")
        zero = held[f"{name}_zero_point"].astype(np.float32)
        heads.append((held[f"{name}_quantized"].astype(np.float32) - zero) * held[f"{name}_scale"])
    read_out = np.concatenate(heads, axis=1)  # (128, N_LOGITS)
    second = np.concatenate([held["model.refine.2.weight"][:, :, tap].T @ read_out for tap in range(TAPS)], axis=1)
    bias = held["model.refine.2.bias"] @ read_out + np.concatenate([held[f"model.{head}.bias"] for head in HEADS])
    return {
        "first": np.asarray(first, dtype=np.float32),
        "first_bias": np.tile(held["model.refine.0.bias"], 5),
        "second": np.asarray(second, dtype=np.float32),
        "read_out": np.asarray(read_out, dtype=np.float32),
        "bias": np.asarray(bias, dtype=np.float32),
    }


EDGE_S = 1.5  # at each end of its window the network sees no beats
MAX_DENOMINATOR = 20_000  # of a ratio of two rates: at any rate a minute then ends less than 2 ms off
EDGE_LEADS = 2  # leads that are read a second time for the edges of the recording
EINTHOVEN_LIMIT_MV = 0.05  # limb leads that differ by more are taken as the file has them
OTHER, P, QRS, T = range(4)  # classes of the wave head
BEAT_KINDS = ("none", "sinus", "ventricular", "paced", "fusion", "unknown")  # of the beat head, as in openecg.layered
RHYTHM_KINDS = ("sinus", "AV block", "paced", "atrial fibrillation", "bundle branch block", "ventricular")
_EDGE_ORDER = ("II", "V2", "V5", "I", "V3", "V4", "V6", "V1", "III", "aVL")  # preferred first
_MADE_OF = {"aVR": ("I", "II"), "aVF": ("II", "III")}
#: For many records: five leads read, one of them twice. Against LUDB's marks in the eleven records of the tests,
#: standard deviations then are 11.7 ms at J and 35.0 ms at T end, instead of 10.9 and 33.0 ms.
_QUICKLY_MADE_OF = {
    "III": ("II",),
    "aVR": ("I", "II"),
    "aVL": ("I",),
    "aVF": ("II",),
    "V3": ("V2", "V5"),
    "V4": ("V5",),
    "V6": ("V5",),
}
QUICK_EDGE_LEADS = 1


def steady(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the signal so that waves depend on nothing but the tracing.

    Levels are taken off and the 32-bit rounding that a constant leaves is rounded away; III, aVR, aVL and aVF are made
    from I and II wherever the file's own agree with them. Adding a constant to a lead or deriving the limb leads again
    then changes no landmark.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Millivolts, without NaN.
    """
    centred = np.round(signal - np.median(signal, axis=1, keepdims=True), 4)
    made = LIMB_FROM_I_II @ centred[:2]
    away = centred[:6] - made
    agree = np.abs(away - np.median(away, axis=1, keepdims=True)).max(axis=1) <= EINTHOVEN_LIMIT_MV
    centred[:6][agree] = np.round(made[agree], 4)
    return np.asarray(centred)


def resample(signal: NDArray[np.floating], fs: float, to_fs: float) -> NDArray[np.float64]:
    """Resample each lead with an anti-alias filter; the first sample keeps its place in time.

    Parameters
    ----------
    signal : ndarray of shape (n_leads, n_samples)
        Without NaN.
    fs, to_fs : float
        Rates in Hz before and after.
    """
    ratio = Fraction(to_fs / fs).limit_denominator(MAX_DENOMINATOR)
    if ratio == 1:
        return np.asarray(signal, dtype=np.float64)
    return np.asarray(resample_poly(np.asarray(signal, dtype=np.float64), ratio.numerator, ratio.denominator, axis=1,
                                    padtype="line"))  # fmt: skip


def _rank_normalised(row: NDArray[np.float64]) -> NDArray[np.float32]:
    from openecg.dsp import rank_normalize

    return np.asarray(rank_normalize(row.astype(np.float32)), dtype=np.float32)


def _window_starts(n_samples: int) -> list[int]:
    """Starts of windows whose kept parts, `EDGE_S` inside each window, cover the recording between its own edges."""
    if n_samples <= NETWORK_SAMPLES:
        return [0]
    step = NETWORK_SAMPLES - 2 * round(EDGE_S * NETWORK_FS)
    return [*range(0, n_samples - NETWORK_SAMPLES, step), n_samples - NETWORK_SAMPLES]


def _read_window(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of a stretch of at most 10 s of one lead, set in the middle of the window, its mirror image around it."""
    n = len(row)
    before = (NETWORK_SAMPLES - n) // 2
    window = np.pad(row, (before, NETWORK_SAMPLES - n - before), mode="reflect")
    return sample_logits(_rank_normalised(window))[before : before + n]


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the classes of each head, same shape as the logits."""
    found = np.empty_like(logits)
    for head in (WAVES, BEATS, RHYTHMS):
        powers = np.exp(logits[:, head] - logits[:, head].max(axis=1, keepdims=True))
        found[:, head] = powers / powers.sum(axis=1, keepdims=True)
    return found


def _inner_logits(row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of one lead, each sample from a window in which it lies far from the ends wherever there is one."""
    n = len(row)
    edge = round(EDGE_S * NETWORK_FS)
    logits = np.zeros((n, N_LOGITS))
    for start in _window_starts(n):
        stop = min(start + NETWORK_SAMPLES, n)
        keep = start if start == 0 else start + edge
        logits[keep:stop] = _read_window(row[start:stop])[keep - start :]
    return logits


def wave_posterior(
    signal: NDArray[np.floating], fs: float, usable: NDArray[np.bool_], *, quick: bool = False
) -> NDArray[np.float64]:
    """Probability of each wave, kind of beat and rhythm at 500 Hz.

    The network was trained on recordings whose first and last beats carry no marks (LUDB), so it sees no beats near
    the ends of its window. The first and last `EDGE_S` of a recording are therefore read a second time, its end laid
    before its beginning, in `EDGE_LEADS` leads; the other leads take their mean there. aVR and aVF take the mean over
    the two leads they are made of, which changes their landmarks by less than a millisecond and saves a sixth of the
    time.

    Parameters
    ----------
    signal : ndarray of shape (12, n_samples)
        Millivolts, without NaN; any length.
    fs : float
        Sampling frequency in Hz.
    usable : ndarray of shape (12,), bool
        Leads with a signal; the others are not read and hold the first class of each head.
    quick : bool
        Read five leads and give the others the means of their neighbours: half the time, slightly less sure.

    Returns
    -------
    posterior : ndarray of shape (12, n_samples_500, 16)
        Softmax over (other, P, QRS, T), over `BEAT_KINDS` and over `RHYTHM_KINDS`.

    Raises
    ------
    DelineatorMissingError
        openecg, onnx or onnxruntime is not installed.
    """
    load_delineator()
    at_500 = resample(signal, fs, NETWORK_FS)
    n = at_500.shape[1]
    posterior = np.zeros((12, n, N_LOGITS))
    posterior[:, :, [head.start for head in (WAVES, BEATS, RHYTHMS)]] = 1.0
    rows = [int(row) for row in np.flatnonzero(usable)]
    made_of = {
        lead: parents
        for lead, parents in (_QUICKLY_MADE_OF if quick else _MADE_OF).items()
        if all(usable[lead_index(parent)] for parent in parents)
    }
    for row in rows:
        if STANDARD_LEADS[row] not in made_of:
            posterior[row] = _probabilities(_inner_logits(at_500[row]))
    edge = min(round(EDGE_S * NETWORK_FS), n // 2)
    if (NETWORK_SAMPLES - n) // 2 < edge:
        half, n_twice = min(NETWORK_SAMPLES // 2, n // 2), QUICK_EDGE_LEADS if quick else EDGE_LEADS
        twice_read = [row for row in map(lead_index, _EDGE_ORDER) if row in rows][:n_twice] or rows[:n_twice]
        ends = np.stack(
            [_probabilities(_read_window(np.r_[at_500[row, -half:], at_500[row, :half]])) for row in twice_read]
        )
        for row in rows:
            own = ends[twice_read.index(row)] if row in twice_read else ends.mean(axis=0)
            posterior[row, :edge], posterior[row, -edge:] = own[half : half + edge], own[half - edge : half]
    for lead, parents in made_of.items():
        if usable[lead_index(lead)]:
            posterior[lead_index(lead)] = posterior[[lead_index(parent) for parent in parents]].mean(axis=0)
    return posterior
