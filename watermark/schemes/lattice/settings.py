"""Every number of this room that decides accuracy, and how it was set; those of the search stand with the search.

"By hand" is a number that was chosen with the first design, on a dozen photographs, and not searched for again. What
training set is in the weights files.
"""

from dataclasses import dataclass

from watermark.transforms.waves import wave_count


@dataclass(frozen=True)
class Band:
    """Where lines may stand, in cycles per plane px.

    Attributes:
        low: inner radius; by hand.
        high: outer radius. A narrower band, .03 to .16, read blur better and an untouched picture worse (the first
            design).
        pilot_lines: number of pilot lines. Of 32 a notch of the 150 loudest peaks left nothing to find; of 128 a faint
            one is missed on busy pictures (42 dB, the first design).
        pilot_low: inner radius of the pilot: below .04 busy pictures hide it.
        pilot_high: its outer radius, inside of what strong compression takes first; by hand.
        spacing: plane px; there is one line per ``spacing ** -2``. A crop to 256 px a side still tells them apart.
        off_axis: no line is closer to an axis, where pictures and block codecs are loud; by hand.
        pilot_off_axis: no pilot line is; by hand. In a log-log spectrum such a line has no place.
    """

    low: float = 0.02
    high: float = 0.2
    pilot_lines: int = 96
    pilot_low: float = 0.05
    pilot_high: float = 0.18
    spacing: float = 128.0
    off_axis: float = 0.002
    pilot_off_axis: float = 0.02

    @property
    def lines(self) -> int:
        """How many lines there are, pilot and data."""
        return wave_count(self.low, self.high, self.spacing, self.off_axis)

    @property
    def symbols(self) -> int:
        """How many signs the data lines carry."""
        return 2 * (self.lines - self.pilot_lines)


CANONICAL = 512
"""Short side, px, beyond which the mark grows with the picture, so that reducing a large picture keeps it."""
MAX_AREA = 850_000
"""Pictures of more px are marked and read on a copy reduced to this many, 1,130 x 753: twice what ``CANONICAL`` asks
for; by hand."""

USUAL_PSNR = 45.0
"""dB, from which the strength follows if no target is set: what the schemes are configured for."""
FLAT = 2.5
"""``texture_mask`` (deviation in grey levels, plus two) below which an area is flat: half a grey level; by
hand, on slides and logos."""
STRONGEST = 4.0
"""How many times the change that ``target_psnr`` stands for is proposed at most, where flat areas bear it: black and
white clip some of it away again."""
LACK = (-1.0, 3.0)
"""Between these the lack of a message bit is answered, in units of the mean bit: one bit must not take
the energy of all others; by hand."""
TALLEST = 4.0
"""No message bit is drawn more than this many times as strongly as the mean one; by hand."""

EXTREME = 5 / 255
"""A value so near to black or white may be an impulse."""
IMPULSES = 0.015
"""Share of values that are black, and of those that are white, between two that are not, above which a picture has
impulses. Impulses at .05 of all values have .023 of each; of 461 photographs the most have .010."""
STICK_OUT = 5.0
"""How many times further these are from their neighbours than other values are. On ten photographs of the training set
impulses at .05 to .4 had 8 to 91; shot, speckle and Gaussian noise that has as many had at most 3.1."""
IMPULSE_ROWS = 4
"""Every so many rows are looked at to tell."""

RINGS_PLAIN = 0.78
"""Correlation with the rings of a disk above which a picture was out of focus. Of 48 pictures of the training set, as
they are, saved, blurred, enlarged and filtered, none had more than .76; disks of 3 to 10 px had at least .9, a camera
that moved by 9 px .86."""
LEAST_DEFOCUS, MOST_DEFOCUS, RADII_PER_PX = 2.5, 14.0, 8
"""Radii, px, that are compared; of a smaller one no zero lies in the mark's band."""
RING_TILE, RING_BAND, RING_BINS = 256, (0.03, 0.35), 82
"""Px a side of the tiles; cycles per px between which circles are looked at, and how many."""
RING_TREND, RING_FLOOR = 4, 1e-3
"""Cosines of the trend that is taken off first; power that rounding leaves where a disk has a zero."""
FAINTEST_RING = 0.1
"""What a lens left less than this of is not made up for any further: there is noise. Of 1, .1 and .03 the best in five
of six pictures of the training set, by the pilot's score (12.9 to 22.5, 13.5 to 23.9, 12.3 to 16.8)."""

UPSIDE_DOWN = 3.0
"""Deviations below nothing at which the pilot of a plane is plainly upside down: 1 of 700 pictures without a mark."""
ENOUGH = 18.0
"""Pilot score of luma above which colour and windows are not asked: the mark is plainly there, and plainly unbent."""
UNMISTAKABLE = 27.0
"""Pilot score that no wrong place reached. In pictures out of focus wrong places reached 18.7."""
LONG_MESSAGE = 1024
"""Channel bits beyond which colour is always read: a long payload needs what it says, however plain the pilot is.
Of 3 MP after JPEG 50 the signal-to-noise ratio grew by 1.7 (medians of twelve pictures, results/published/records)."""
BENDABLE = 7.0
"""Pilot score below which there is nothing to be bent: so high unmarked pictures come after all searches."""
BENT = 1.1
"""How many times the score of the whole the windows' must be for these to be read first; the other reading is tried
all the same. By hand."""

NEIGHBOURHOOD = 0.03
"""Cycles per plane px, standard deviation of the Gaussian in which pilot lines judge the lines around them: some twelve
of 96. Weights from the pilot raised the correlation after blur 3 from 12-20 to 18-27 (the first design)."""
ABSENT = 2.0
"""Deviations above nothing at which the pilot of a whole plane must stand; a plane below is as good as left out."""
FAINTEST = 0.05
"""Share of the greatest weight that a line keeps at least, and a plane that is left out; by hand."""
BESIDE_LINES = 6.0
"""Levels; no channel of a pixel that lies on flat ground, or beside a line on it, changes by more,"""
BESIDE_SHARE = 2.9
"""or by more than this many times the RMS of the whole mark, which is more below 42 dB."""
BESIDE_ROUNDS = 3
"""In which what that limit and clipping take is found and given back elsewhere."""
SAMPLE = 500_000
"""Px, in rows spread over a picture, at which that is found; a smaller picture is looked at whole."""

CHAIN_SCALE, CHAIN_QUALITY = 0.5, 50
"""Of the reference chain of ``target_evidence``: the share of each side that is left, then the quality of a JPEG."""
FAINTER = 12.0
"""dB by which ``target_evidence`` weakens a mark at most."""
EVIDENCE_HALVINGS = 4
"""Halvings of that range: the strength is found to .75 dB, to the safe side."""
MOST_EVIDENCE = 250.0
"""Decades: 1,024 signs that are all right stand at 308."""
