import pytest
import pywt
import scipy.fft
import torch

from watermark.transforms.dct import block_dct, block_idct, from_blocks, to_blocks
from watermark.transforms.dwt import haar_dwt2, haar_idwt2

PLANES = torch.rand(3, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_haar_analysis_is_that_of_pywavelets_with_every_band_in_its_place():
    bands = haar_dwt2(PLANES)
    approximation, details = pywt.dwt2(PLANES.numpy(), "haar")
    for ours, theirs in zip(bands, (approximation, *details), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_haar_synthesis_undoes_analysis_and_agrees_with_pywavelets_on_swapped_bands():
    bands = haar_dwt2(PLANES)
    torch.testing.assert_close(haar_idwt2(bands), PLANES)
    swapped = bands._replace(horizontal=bands.vertical, vertical=bands.horizontal)  # the error of the usual baseline
    theirs = pywt.idwt2((swapped[0].numpy(), tuple(band.numpy() for band in swapped[1:])), "haar")
    torch.testing.assert_close(haar_idwt2(swapped), torch.from_numpy(theirs))
    assert not torch.allclose(haar_idwt2(swapped), PLANES)


@pytest.mark.parametrize("size", [4, 8])
def test_block_dct_is_the_orthonormal_dct_of_scipy(size):
    blocks = to_blocks(PLANES, size)
    theirs = scipy.fft.dctn(blocks.numpy(), axes=(-2, -1), norm="ortho")
    torch.testing.assert_close(block_dct(blocks), torch.from_numpy(theirs))
    torch.testing.assert_close(block_idct(block_dct(blocks)), blocks)


def test_blocks_are_cut_row_by_row_and_put_back():
    blocks = to_blocks(PLANES, 8)
    torch.testing.assert_close(blocks[:, 1], PLANES[:, :8, 8:16])
    torch.testing.assert_close(blocks[:, 3], PLANES[:, 8:, :8])
    assert torch.equal(from_blocks(blocks, 16, 24), PLANES)


def test_sides_that_do_not_fit_are_refused_in_words():
    with pytest.raises(ValueError, match="multiples of 8, got 20x16"):
        to_blocks(PLANES[..., :20], 8)
    with pytest.raises(ValueError, match="even sides, got 23x16"):
        haar_dwt2(PLANES[..., :23])
