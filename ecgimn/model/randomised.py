"""A model with some weights drawn anew: what no explanation must survive (Adebayo et al., arXiv:1810.03292)."""

from __future__ import annotations

import torch

from ecgimn.model.checkpoint import Model, Network

#: Parts of a network from its output inwards; each is drawn anew together with all that comes after it.
CASCADE = {
    "head": ("head", "bias_head"),
    "decoder": ("head", "bias_head", "decoder"),
    "encoder": ("head", "bias_head", "decoder", "encoder"),
}


def randomised(model: Model, part: str, seed: int) -> Model:
    """Return the model with the weights of `part` and of all that comes after it drawn anew.

    Parameters
    ----------
    model : Model
    part : {"head", "decoder", "encoder"}
        "encoder" leaves nothing of what was learned.
    seed : int
    """
    networks: list[Network] = []
    with torch.random.fork_rng(devices=[]):
        for number, network in enumerate(model.networks):
            torch.manual_seed(seed + number)
            fresh: Network = type(network)(network.config).to(model.device)  # type: ignore[arg-type]
            kept = {key: value for key, value in network.state_dict().items() if key.split(".")[0] not in CASCADE[part]}
            fresh.load_state_dict(fresh.state_dict() | kept)
            networks.append(fresh.eval().requires_grad_(False))
    return Model(model.card, tuple(networks), model.device)
