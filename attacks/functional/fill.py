"""Fill holes smoothly from what is around them."""

import torch.nn.functional as F
from torch import Tensor


def pull_push(weighted: Tensor, weight: Tensor) -> Tensor:
    """Values where ``weight`` is 1, elsewhere the average that a coarser level knows (Gortler et al., 1996).

    Args:
        weighted: ``(N, C, H, W)``, values times their weight.
        weight: ``(N, C, H, W)`` or ``(N, 1, H, W)``, 0 to 1.
    """
    if min(weight.shape[-2:]) <= 2 or bool((weight > 0).all()):
        return weighted / weight.clamp(min=1e-6)
    coarse_weight = F.avg_pool2d(weight, 2, ceil_mode=True, count_include_pad=False)
    coarse_values = F.avg_pool2d(weighted, 2, ceil_mode=True, count_include_pad=False)
    full = (4 * coarse_weight).clamp(max=1) / coarse_weight.clamp(min=1e-6)
    coarse = pull_push(coarse_values * full, coarse_weight * full)
    size = (weight.shape[-2], weight.shape[-1])
    return weighted + (1 - weight) * F.interpolate(coarse, size, mode="bilinear", align_corners=False)
