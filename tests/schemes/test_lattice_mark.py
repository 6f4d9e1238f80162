import torch

from watermark.schemes.lattice_mark import LatticeMark, corner_alignment, scaled, working_copy
from watermark.schemes.networks import BlockWhitening, TextureMask, from_planes, to_planes
from watermark.synchronization import spectra


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


def test_planes_carry_what_they_are_given():
    residual = torch.rand(1, 2, 8, 8) - 0.5
    rgb = from_planes(residual)
    torch.testing.assert_close(rgb.square().sum(1), residual.square().sum(1) + 2 * residual.prod(1) * overlap())
    blue_only = from_planes(torch.tensor([0.0, 1.0])[None, :, None, None])
    assert abs(float(to_planes(blue_only)[0, 0])) < 1e-3 * 255  # no luma
    assert float(to_planes(blue_only)[0, 1]) > 0
    assert float(to_planes(from_planes(torch.tensor([1.0, 0.0])[None, :, None, None]))[0, 1]) > 0  # the planes add up


def overlap():
    first, second = (from_planes(torch.tensor(v)[None, :, None, None]).flatten() for v in ((1.0, 0.0), (0.0, 1.0)))
    return first @ second


def test_every_key_reads_its_own_mark_and_no_other():
    mark = LatticeMark(message_bits=256, width=0)
    images, shift = photo(count=2), torch.tensor([[3.0, 99.5], [64.2, 7.0]])
    message = torch.rand(2, 256, generator=torch.Generator().manual_seed(2)) < 0.5
    where = corner_alignment(images.shape[-2:], 1.0, shift)
    for key, other in ((1, 2), (2**40, 5)):
        layout = mark.layout(key)
        marked = images + mark.residual(images, message, layout, 1.0, shift, torch.tensor([40.0, 40.0]))
        right = ((mark(mark.maps(marked), layout, where) > 0) == message).float().mean()
        wrong = ((mark(mark.maps(marked), mark.layout(other), where) > 0) == message).float().mean()
        assert right > 0.95
        assert 0.4 < wrong < 0.6


def test_weights_of_lines_ignore_what_the_data_lines_say():
    mark = LatticeMark(message_bits=256)
    for parameter in mark.weights.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))
    layout = mark.layout(4)
    where = corner_alignment((256, 320), 1.0, torch.zeros(1, 2))
    lines = mark.read_lines(spectra(mark.maps(photo())), layout, where)
    signs = torch.where(torch.rand(len(layout.is_pilot)) < 0.5, -1.0, 1.0)
    turned = lines * torch.where(layout.is_pilot, 1.0, signs)
    one, other = (mark.weights(x, layout.is_pilot, mark.radius, mark.angle) for x in (lines, turned))
    torch.testing.assert_close(one, other)


def test_host_rejection_helps_the_bits_that_the_picture_speaks_against():
    mark = LatticeMark(message_bits=256, width=0)
    images, shift, layout = photo(), torch.zeros(1, 2), mark.layout(6)
    message = torch.rand(1, 256, generator=torch.Generator().manual_seed(5)) < 0.5
    where = corner_alignment(images.shape[-2:], 1.0, shift)
    worst = []
    for rounds in (0, 2):
        marked = images + mark.residual(images, message, layout, 1.0, shift, torch.tensor([44.0]), rounds)
        margin = mark(mark.maps(marked), layout, where) * (message * 2.0 - 1)
        worst.append(float((margin / margin.mean()).quantile(0.05)))
    assert worst[1] > worst[0] + 0.1


def test_scaled_residuals_have_the_asked_energy():
    residual = scaled(torch.randn(2, 3, 16, 16), torch.tensor([40.0, 46.0]))
    torch.testing.assert_close(residual.square().mean((1, 2, 3)), 10 ** -torch.tensor([4.0, 4.6]))


def test_large_pictures_are_read_smaller():
    small, step = working_copy(torch.rand(1, 3, 1200, 1600))
    assert small.shape[-1] * small.shape[-2] <= 860_000
    torch.testing.assert_close(step, torch.tensor([1600 / small.shape[-1], 1200 / small.shape[-2]]))
