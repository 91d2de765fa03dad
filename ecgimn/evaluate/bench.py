"""What an explanation costs: the model's own maps against post-hoc methods, on one core, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgimn.explain.edits import masks_from_landmarks
from ecgimn.explain.ledger import cell_partition, lead_wave_cells
from ecgimn.explain.methods import IG_STEPS, KERNEL_SHAP_SAMPLES, METHODS, Input
from ecgimn.model.model import Model, Network
from ecgimn.recording import Recording
from ecgimn.signal.waves.quick import quick_landmarks

MATRIX_SIZE = 1024
MATRIX_REPEATS = 12
REPEATS = 9
POST_HOC = ("integrated gradients", "KernelSHAP")


def bench(model: Model, recording: Recording) -> dict[str, Any]:
    """Time the maps of all classes of one recording, on one thread.

    Returns
    -------
    dict
        Seconds of processor time: `maps_s`, the network's maps as it is used in the app, and one entry per post-hoc
        method; `times_slower`, their ratios; `gflop_per_record`, the multiplications and additions of the network's
        convolutions and products; `reached_gflops` and `peak_gflops`, the rate of the maps and that of a large float32
        matrix product; `share_of_peak`, their ratio.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        x = model.preprocessing(recording.fs, recording.n_samples).forward(recording.signal)
        landmarks = quick_landmarks(x)
        wave = cell_partition(masks_from_landmarks(landmarks, x.shape[1]), x.shape[1])
        record = Input(x, landmarks.level, lead_wave_cells(wave))
        maps_s = processor_seconds(lambda: model.weight_maps(x[None]), REPEATS)
        slow = {name: processor_seconds(partial(METHODS[name].attribute, model, record), 1) for name in POST_HOC}
        peak = peak_gflops()
    finally:
        torch.set_num_threads(threads)
    work = sum(count_flop(network, x) for network in model.networks) / 1e9
    return {
        "model": model.card.name,
        "sha256": model.card.sha256,
        "networks": len(model.networks),
        "classes": len(model.classes),
        "integrated_gradients_steps": IG_STEPS,
        "kernel_shap_samples": KERNEL_SHAP_SAMPLES,
        "maps_s": round(maps_s, 5),
        "post_hoc_s": {name: round(seconds, 3) for name, seconds in slow.items()},
        "times_slower": {name: round(seconds / maps_s, 1) for name, seconds in slow.items()},
        "gflop_per_record": round(work, 4),
        "reached_gflops": round(work / maps_s, 2),
        "peak_gflops": round(peak, 2),
        "share_of_peak": round(work / maps_s / peak, 4),
    }


def processor_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the smallest processor time of some calls, after one to warm up unless it is called once only."""
    if repeats > 1:
        call()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return min(times)


def peak_gflops() -> float:
    """Return the best measured rate of a large float32 matrix product, in 1e9 operations per second."""
    a, b = torch.rand(MATRIX_SIZE, MATRIX_SIZE), torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    return 2.0 * MATRIX_SIZE**3 / 1e9 / processor_seconds(lambda: torch.mm(a, b), MATRIX_REPEATS)


def count_flop(network: Network, x: NDArray[np.floating]) -> int:
    """Return the operations of a network's convolutions and linear layers on one input, a multiply-add counted as 2."""
    total = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        if isinstance(weight, torch.Tensor):
            positions = out.numel() // weight.shape[0]
            total += 2 * weight.numel() * positions

    kinds = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Linear)
    hooks = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, kinds)]
    try:
        with torch.inference_mode():
            network.linear(torch.tensor(x[None], dtype=torch.float32, device=next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return total
