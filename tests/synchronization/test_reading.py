import torch

from watermark.synchronization import trust, trust_unaided
from watermark.transforms.lattice import lattice_lines


def lines_as_read(low_amplitude, high_amplitude):
    """Lines below and above .1 cycles per px: two signs each at these amplitudes, in noise of unit power."""
    lines = torch.from_numpy(lattice_lines(128, 0.03, 0.2))
    low = lines.float().norm(dim=1) / 128 < 0.1
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (2, len(lines)), generator=generator) * 2 - 1
    amplitude = torch.where(low, low_amplitude, high_amplitude)
    noise = torch.randn(len(lines), dtype=torch.complex64, generator=generator)
    return lines, low, torch.complex(*signs.float()) * amplitude / 2**0.5 + noise


def test_lines_are_trusted_as_far_as_the_pilot_around_them_survived():
    lines, low, _ = lines_as_read(1.0, 0.0)
    pilot = torch.where(low, 1.0, 0.0)[::10] + 0j
    weights = trust(pilot, lines[::10], lines, 128)
    assert weights[~low].mean() < 0.2 * weights[low].mean()
    assert weights.min() >= 0.05 * weights.max()


def test_without_a_pilot_lines_are_trusted_as_far_as_they_are_loud():
    lines, low, data = lines_as_read(2.0, 0.0)
    weights = trust_unaided(data, lines, 128)
    deep = lines.float().norm(dim=1) / 128 < 0.05
    assert abs(weights[deep].mean() - 2.0) < 0.3  # the amplitude itself
    assert weights[~low].mean() < 0.4 * weights[low].mean()


def test_where_no_line_is_loud_all_weigh_something():
    lines, _, data = lines_as_read(0.0, 0.0)
    assert (trust_unaided(data, lines, 128) > 0).all()
