"""Two learning rates: networks learn slowly, the few physical constants (gains, exponents, spectra) fast."""

import torch

from watermark.training.model import TrainableMark


def adamw(
    model: TrainableMark,
    network_rate: float = 2e-3,
    constant_rate: float = 5e-3,
    weight_decay: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.98),
) -> torch.optim.Optimizer:
    """AdamW over the parameters that learn; constants are not decayed.

    Args:
        model: whose ``slow`` names say which parameters belong to networks.
        network_rate: peak rate of the networks.
        constant_rate: peak rate of all others.
        weight_decay: of the networks.
        betas: AdamW's.
    """
    groups: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[any(part in name for part in model.slow)].append(parameter)
    settings = [
        {"params": groups[True], "lr": network_rate, "weight_decay": weight_decay},
        {"params": groups[False], "lr": constant_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in settings if group["params"]], betas=(betas[0], betas[1]))
