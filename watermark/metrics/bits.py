"""Bit errors of soft decisions."""

from torch import Tensor


def bit_errors(logits: Tensor, message: Tensor) -> Tensor:
    """How many hard decisions disagree with the message, per image.

    Args:
        logits: ``(N, K)`` float, ``> 0`` means 1 (0 and NaN count as 0).
        message: ``(N, K)`` or ``(K,)`` bool.

    Returns:
        ``(N,)`` int64 from 0 to K.

    Raises:
        ValueError: if the numbers of bits differ.

    Example:
        >>> import torch
        >>> bit_errors(torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([True, True, True])).tolist()
        [1]
    """
    if logits.ndim != 2 or message.shape[-1] != logits.shape[1]:
        raise ValueError(
            f"expected logits (N, K) and a message of K, got {tuple(logits.shape)}, {tuple(message.shape)}"
        )
    return ((logits > 0) != message.to(logits.device)).sum(1)
