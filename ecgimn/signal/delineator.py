"""openecg's network for P, QRS and T, with its costly end worked out in advance: the same sums, a third of the time.

The network is openecg's codec v6 (Apache-2.0, https://github.com/vitaldb/openecg), an int8 ONNX file inside the wheel
that reads one lead of 10 s at 500 Hz, rank-normalised. Its body writes 128 features for each of 500 frames of ten
samples. Its end repeats each frame ten times, refines by `x + conv(gelu(conv(x)))` with five taps at 500 Hz, and reads
four logits off each sample. Two facts save most of that:

- within a frame the repeated features are constant, so the first convolution has five different results per frame and
  not ten, each from at most two frames;
- nothing follows the second convolution but the linear read-out, so both are one convolution from 128 features to four.

The end is computed in 32-bit floats, where the file rounds its activations to eight bits before the read-out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx
    import onnxruntime

NETWORK_FS = 500.0  # Hz, the rate of openecg's codec
NETWORK_SAMPLES = 5000  # the fixed window of its ONNX graph: 10 s
N_WAVES = 4  # classes of the wave head: other, P, QRS, T
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


def wave_logits(window: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logits of (other, P, QRS, T), shape (5000, 4), of one rank-normalised lead of 10 s, shape (5000,)."""
    plain, by_tap = load_delineator().run(["plain", "by_tap"], {"signal": window[None]})
    taps = by_tap.reshape(-1, 5, TAPS, N_WAVES)[:, PHASE].reshape(NETWORK_SAMPLES, TAPS, N_WAVES)
    logits = np.repeat(plain, FRAME, axis=0).astype(np.float64)
    for tap in range(TAPS):
        shift = tap - TAPS // 2
        if shift < 0:
            logits[-shift:] += taps[:shift, tap]
        else:
            logits[: NETWORK_SAMPLES - shift] += taps[shift:, tap]
    return logits


def _replace_end(model: onnx.ModelProto) -> None:
    """Cut the graph before it repeats its features, and end it with the two sums that `wave_logits` adds up."""
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
        ("MatMul", ("active_rows", "end_second"), ("by_tap",)),  # (2500, TAPS * N_WAVES)
        ("MatMul", ("frames", "end_read_out"), ("unbiased",)),
        ("Add", ("unbiased", "end_bias"), ("plain",)),  # (500, N_WAVES)
    )
    for kind, inputs, outputs in chain:
        node = helper.make_node(kind, inputs, outputs, name=f"end_{outputs[0]}")
        if kind == "Split":
            node.attribute.append(helper.make_attribute("axis", 1))
        model.graph.node.append(node)
    for name, width in (("plain", N_WAVES), ("by_tap", TAPS * N_WAVES)):
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
    quantised = nodes["frame_logits"].input[0]
    while nodes[quantised].op_type != "MatMulInteger":
        quantised = nodes[quantised].input[0]
    name = nodes[quantised].input[1].removesuffix("_quantized")
    zero = held[f"{name}_zero_point"].astype(np.float32)
    read_out = (held[f"{name}_quantized"].astype(np.float32) - zero) * held[f"{name}_scale"]  # (128, 4)
    second = np.concatenate([held["model.refine.2.weight"][:, :, tap].T @ read_out for tap in range(TAPS)], axis=1)
    bias = held["model.refine.2.bias"] @ read_out + held["model.head_sample.bias"]
    return {
        "first": np.asarray(first, dtype=np.float32),
        "first_bias": np.tile(held["model.refine.0.bias"], 5),
        "second": np.asarray(second, dtype=np.float32),
        "read_out": np.asarray(read_out, dtype=np.float32),
        "bias": np.asarray(bias, dtype=np.float32),
    }
