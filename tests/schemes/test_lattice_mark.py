import pytest
import torch

from watermark.schemes.lattice.carriers import Carriers
from watermark.schemes.lattice.draw import reduced
from watermark.schemes.lattice.mark import scaled, upright
from watermark.schemes.lattice.networks import BlockWhitening, TextureMask
from watermark.schemes.lattice.planes import CYAN, YELLOW
from watermark.schemes.lattice.settings import Band
from watermark.schemes.lattice.trained import trainable_mark
from watermark.schemes.lattice.trust import PilotTrust
from watermark.synchronization import Alignment, spectra


def photo(height=256, width=320, count=1):
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, height // 16, width // 16, generator=rng)
    fine = 0.03 * torch.randn(count, 3, height, width, generator=rng)
    grown = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (0.2 + 0.6 * grown + fine).clamp(0, 1)


def test_whitening_is_odd_so_no_message_is_preferred():
    net = BlockWhitening(width=8)
    for parameter in net.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    plane = photo()[:, :1] * 255
    torch.testing.assert_close(net(-plane), -net(plane), atol=1e-4, rtol=1e-4)


def test_untrained_networks_change_nothing():
    plane = photo()[:, :1] * 255
    torch.testing.assert_close(BlockWhitening(width=8)(plane), BlockWhitening(width=0)(plane))


def test_whitening_keeps_any_size():
    for size in ((64, 64), (65, 91), (70, 67)):
        assert BlockWhitening(width=4)(torch.rand(1, 1, *size) * 255).shape[-2:] == size


def test_mask_is_lower_where_the_picture_is_flat():
    images = photo()
    images[..., :160] = 0.5
    mask = TextureMask()(images)
    assert mask.shape == (1, 2, 256, 320)
    assert mask[..., 16:140].mean() < 0.5 * mask[..., 180:].mean()


@pytest.mark.parametrize("planes", [CYAN, YELLOW])
def test_planes_carry_what_they_are_given_and_add_up(planes):
    luma_only, colour_only = (
        planes.split(planes.merge(torch.tensor(v)[None, :, None, None])).flatten() for v in ((1.0, 0.0), (0.0, 1.0))
    )
    assert abs(float(colour_only[0])) < 1e-3 * 255  # no luma
    assert float(colour_only[1]) > 0
    assert float(luma_only[0]) > 0
    assert float(luma_only[1]) > 0  # what a step along the luma weights does to the difference has the same sign
    change = planes.merge(torch.rand(1, 2, 8, 8) - 0.5)
    assert change.shape == (1, 3, 8, 8)


def pose(shift, scale=1.0):
    shift = torch.as_tensor(shift)
    return Alignment(torch.eye(2).expand(len(shift), 2, 2) / scale, shift, torch.zeros(len(shift)))


def test_every_key_reads_its_own_mark_and_no_other():
    mark = trainable_mark(message_bits=256, width=0)
    images, shift = photo(count=2), torch.tensor([[3.0, 99.5], [64.2, 7.0]])
    message = torch.rand(2, 256, generator=torch.Generator().manual_seed(2)) < 0.5
    where = pose(shift, 1.05)
    for key, other in ((1, 2), (2**40, 5)):
        layout = mark.carriers(key)
        marked = images + mark.residual(images, message, layout, where, torch.tensor([40.0, 40.0]))
        right = ((mark(mark.maps(marked), layout, where) > 0) == message).float().mean()
        wrong = ((mark(mark.maps(marked), mark.carriers(other), where) > 0) == message).float().mean()
        assert right > 0.95
        assert 0.4 < wrong < 0.6


def test_weights_of_lines_ignore_what_the_data_lines_say():
    mark = trainable_mark(message_bits=256)
    for parameter in mark.weights.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
    layout = mark.carriers(4)
    where = pose(torch.zeros(1, 2))
    lines = mark.read_lines(spectra(mark.maps(photo())), layout, where)
    signs = torch.where(torch.rand(len(layout.is_pilot)) < 0.5, -1.0, 1.0)
    turned = lines * torch.where(layout.is_pilot, 1.0, signs)
    one, other = (mark.weights(x, layout) for x in (lines, turned))
    torch.testing.assert_close(one, other)


def test_host_rejection_helps_the_bits_that_the_picture_speaks_against():
    mark = trainable_mark(message_bits=256, width=0)
    images, shift, layout = photo(), torch.zeros(1, 2), mark.carriers(6)
    message = torch.rand(1, 256, generator=torch.Generator().manual_seed(5)) < 0.5
    where = pose(shift)
    worst = []
    for rounds in (0, 2):
        marked = images + mark.residual(images, message, layout, where, torch.tensor([44.0]), rounds)
        margin = mark(mark.maps(marked), layout, where) * (message * 2.0 - 1)
        worst.append(float((margin / margin.mean()).quantile(0.05)))
    assert worst[1] > worst[0] + 0.1


def test_scaled_residuals_have_the_asked_energy():
    residual = scaled(torch.randn(2, 3, 16, 16), torch.tensor([40.0, 46.0]))
    torch.testing.assert_close(residual.square().mean((1, 2, 3)), 10 ** -torch.tensor([4.0, 4.6]))


def test_large_pictures_are_read_smaller():
    small, step = reduced(torch.rand(1, 3, 1200, 1600))
    assert small.shape[-1] * small.shape[-2] <= 860_000
    torch.testing.assert_close(step, torch.tensor([1600 / small.shape[-1], 1200 / small.shape[-2]]))


def lines_as_read(low_amplitude, high_amplitude):
    """Lines below and above .1 cycles per px: pilot and signs at these amplitudes, in noise of unit power."""
    carriers = Carriers.from_key(1, "test", Band(), 512)
    low, generator = carriers.radius < 0.1, torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (2, len(low)), generator=generator) * 2.0 - 1
    sent = torch.where(carriers.is_pilot, 1.0 + 0j, torch.complex(*signs) / 2**0.5)
    noise = torch.randn(len(low), dtype=torch.complex64, generator=generator)
    return carriers, low, (sent * torch.where(low, low_amplitude, high_amplitude) + noise)[None, None]


def test_lines_are_trusted_as_far_as_the_pilot_around_them_survived():
    carriers, low, lines = lines_as_read(3.0, 0.0)
    weights = PilotTrust()(lines, carriers)[0, 0]
    assert weights[~low].mean() < 0.4 * weights[low].mean()
    assert weights.min() >= 0.04 * weights.max()


def test_a_plane_whose_pilot_is_not_there_is_as_good_as_left_out():
    carriers, _, lines = lines_as_read(3.0, 3.0)
    both = torch.cat([lines, lines_as_read(0.0, 0.0)[2]], 1)
    weights = PilotTrust()(both, carriers)[0].mean(-1)
    assert weights[1] < 0.1 * weights[0]


def test_without_a_pilot_lines_are_trusted_as_far_as_they_are_loud():
    carriers, low, lines = lines_as_read(2.0, 0.0)
    weights = PilotTrust()(lines, carriers, believe_pilot=False)[0, 0]
    deep = carriers.radius < 0.05
    assert abs(weights[deep].mean() - 2.0) < 0.3  # the amplitude itself
    assert weights[~low].mean() < 0.4 * weights[low].mean()
    silent = lines_as_read(0.0, 0.0)[2]
    assert (PilotTrust()(silent, carriers, believe_pilot=False) > 0).all()


def test_a_key_chooses_pilot_bits_and_signs_and_shares_nothing_with_another_scheme():
    band = Band()
    one, other, foreign = (Carriers.from_key(k, name, band, 900) for k, name in ((1, "a"), (2, "a"), (1, "b")))
    for carriers in (one, other, foreign):
        assert carriers.is_pilot.sum() == band.pilot_lines
        data = ~carriers.is_pilot.expand(2, -1)
        assert torch.bincount(carriers.bit[data], minlength=900).min() >= band.symbols // 900
        assert (carriers.sign[data].abs() == 1).all()
        assert (carriers.sign[~data] == 0).all()
    for carriers in (other, foreign):
        assert (carriers.frequencies != one.frequencies).any(1).all()


def test_a_band_that_holds_less_than_is_asked_is_refused():
    with pytest.raises(ValueError, match="at most 1798 message bits, got 5000"):
        Carriers.from_key(1, "test", Band(), 5000)
    with pytest.raises(ValueError, match=r"expected at most \d+ pilot lines"):
        Carriers.from_key(1, "test", Band(pilot_lines=990), 8)


def test_a_band_in_which_the_pilot_is_upside_down_is_turned_and_nothing_else():
    carriers = Carriers.from_key(3, "upright", Band(), 256)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 2, len(carriers.radius), dtype=torch.complex64, generator=generator)  # of unit power
    over = (carriers.radius > 0.1).to(torch.complex64) * -2 + 1  # as a lens of radius 6 out of focus does it
    data = torch.where(carriers.is_pilot, 1, torch.exp(1j * carriers.angle * 100))  # a message has no say
    turned = upright(noise + 3 * data * over, carriers) / (noise + 3 * data * over)
    far = (carriers.radius - 0.1).abs() > 0.03
    assert (turned.real[..., far].sign() == over.real[far]).float().mean() > 0.97
    kept = upright(noise + 3 * data, carriers)
    torch.testing.assert_close(kept, noise + 3 * data)
    whole = upright(-noise - 3 * data, carriers)
    torch.testing.assert_close(whole, kept)
