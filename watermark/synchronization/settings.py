"""Every number of this room that decides what is found, and how it was set.

"Probes" are paired readings of the hard cells of ``docs/design/keyed.md`` on photographs that no table reports. Where
it says "by hand" a number was chosen with the first design, on a dozen photographs, and not searched for again.
"""

from dataclasses import dataclass

LINE_LIMIT = 3.5
"""No single line counts for more than this many times the local RMS; by hand. Without a mark one of 200,000 does."""
POWER_LIMIT = 10.0
"""No place of a power spectrum counts for more than this many times what is around it; by hand."""
SMOOTHING = 0.06
"""Cycles per px over which "around it" is taken: wider than the gaps between lines, narrower than the band; by hand."""
NYQUIST = 0.49
"""Frequencies (cycles per px) beyond this read as zero: half a cycle, less what cubic interpolation reaches over."""
OFF_AXIS = 2 / 128
"""Cycles per plane px from an axis below which a line has no place in a log-log spectrum: its logarithm runs away."""

POSE_SCALES, POSE_SHIFTS = 64, 16
"""Poses of a key. With the eight flips and turns 8,192 places for a mark, all looked up in .05 s at 768x512."""
POSE_SPREAD = 0.08
"""Scales of poses lie within a factor 1.08 around 1, which moves a line over some 30 cells of a 768-px picture."""
POSE_REACH = 64.0
"""Shifts of poses lie within this many plane px to each side: six waves of the lowest pilot line."""


@dataclass(frozen=True)
class Pace:
    """A climb to the best affine map nearby, see ``polish``.

    Attributes:
        step: how far the border of the picture may move at first, plane px.
        rounds: how often a step is tried; every round without a better place halves it.
    """

    step: float
    rounds: int


@dataclass(frozen=True)
class SearchSettings:
    """How far and how finely is searched. Scores are in standard deviations of an unmarked picture.

    Attributes:
        scales: least and greatest picture px per plane px. Screenshots at .35 to crops enlarged 3.9 times; up to 2.6,
            crops to .12 of the area that were enlarged again were all lost.
        aspect: greatest ratio of the two scales: half as wide is read, and 2.2 times as wide.
        angle_step: degrees between cells of the coarse search: .65 px at the border of 400 px.
        scale_step: ratio minus one between cells: 1 px there.
        stretch_step: the same where both scales are searched.
        shear: greatest px along one axis per px of the other: 29 degrees.
        sheared_scales: the range of scales where shears are searched.
        shear_step: px per px between shears, and ratio minus one between their scales.
        sheared_cells: of the search over shears whose shifts are tried; of the others ``cells``.
        accept: pilot score from which an alignment is believed. Unmarked pictures reach 7 after all searches.
        plain: pilot score of a pose from which nothing is gained by looking closer.
        faint: pilot score of a pose below which nothing is gained either: so loud is the best of all without a mark.
        plainly: how many times the score of a pose a climb from it must reach to be more than noise: six free
            parameters add about one deviation where the pilot stands at seven.
        hopeful_pose: pilot score of a pose from which a quick search goes on (``gate``). Of 74 unmarked pictures (24 of
            768x512, 50 of 400x320) the highest in luma was 4.8, and 6.3 in a sum of both planes,
        hopeful_power: likewise the power of the loudest cell of a coarse search in one flattened plane: up to 4.9,
        hopeful_pilot: and that plane's pilot there: up to 7.0 in luma; 2 of the 74 reached 7.2 in colour.
        hopeful_in_colour: how many cells of each coarse search are asked for the pilot at all shifts. Of 97 hard
            readings of 15 photographs of 400x320, busy in luma and quiet in colour, 57 showed a pilot in colour, none
            after the third cell,
        hopeful_in_luma: and 51 in luma, where two came eighth:
        hopeful_small: so many in maps of fewer than the next, in colour and in luma. Of 2,100 readings of as many
            photographs of 400x320 a quick search of 3 and 14 cells lost 7; these find 3 of them. In maps of fewer than
        hopeful_area: px, where luma is also asked as it is: it found two of three marks that flattened luma lost.
        hopeful_shear_step: ``shear_step`` of a quick search, which asks for power alone. Of 18 readings of photographs
            under shears of .3 and .5 the faintest had 7.7 at this step and 8.2 at the other; unmarked pictures 4.1.
        hopeful_piece: px of a map below which a quick search, too, tries the poses at any shift: power says little of a
            small crop, and few poses are told apart there.
        margin: by how much a search must beat what fewer trials found: the best of more is higher by chance.
        blur: plane px by which a scale may be wrong at the border of a picture and yet be found. Probes: .75 finds no
            more and takes twice as long.
        posed: scales whose shifts are tried at most to cover all poses.
        loudest: matrices of poses whose shifts are tried where that would take more.
        cells: of each coarse search whose shifts are tried.
        sharpened: of these are tried once more after a climb on power.
        shift_step: plane px between shifts: the widest that keeps two samples a wave (.2 cycles per px).
        looked_at: places of each matrix that are looked at once more, at a third of that step. Without, a peak between
            the places loses up to a third: probes lost 6 of 93.
        sifted: alignments whose six parameters are polished a little,
        polished: and well, each of which is read in the end.
        apart: plane px at the border of a picture; of alignments that are closer the best is kept.
        reach: shifts to this many plane px from the middle are tried at most,
        posed_reach: of which a pose makes so many,
        longest: and a picture of so many plane px the rest: two to one at a short side of 512.
        loud: power of a sharpened cell from which the message is asked where it lies: few pictures without lines
            reach it.
        pose_climb: from a pose, whose border lies within a px of the truth if it is one.
        sift_climb: from a place of the raster, to tell the better ones.
        fine_climb: from these. With it and all before, probes read 2 to 3 of 128 less than at the true alignment.
        power_climb: from a cell of the coarse search, which is up to 1 px off.
        window_climb: of a window of a bent picture, from where the whole lies: bends of 2 px are to be followed.
        message_limit: no line counts for more than this many times the local RMS where its fourth power is taken: a
            regular texture has a few such lines, and the fourth power makes one of them outvote all others.
        message_step: plane px between the shifts at which the message is asked first,
        message_low: and cycles per plane px up to which lines are: their fourth power makes 4 x .13 x .75 = .39 turns
            in a step, just under the half turn that can be told.
        message_believe: score from which an alignment by the message alone is read; unmarked pictures stay below 6.
        message_climb: from such a shift.
        slanted_cells: of the search of shears, and in a thorough one of the others too, from which a slant is sought,
        slanted_scales: and parts of the usual scale, for what is seen from aside is smaller too, at each of which
        slanted_poses: so many poses are tried. All under no slant and under one to
        slant_sides: sides, of so much
        slant: times half the longer side. The best
        slants_climbed: are climbed: a quick search does it first in four windows side by side, by
        few_climb: and only where there is any hope in nine, by
        slant_climb: in px at the border, half of that for the slant. On 48 pictures of 480x320 in perspective .3 the
            search of shears and the poses alone found as many as all searches. Smaller windows in larger pictures
            found no more.
        worth_more_windows: power in windows side by side from which a quick search asks more. Of 24 pictures without a
            mark 2 reached it,
        hopeful_slant: and in those from which a picture is straightened, and read again.
    """

    scales: tuple[float, float] = (0.35, 4.2)
    aspect: float = 2.25
    angle_step: float = 0.375
    scale_step: float = 0.005
    stretch_step: float = 0.008
    shear: float = 0.56
    sheared_scales: tuple[float, float] = (0.55, 1.8)
    shear_step: float = 0.008
    sheared_cells: int = 6
    accept: float = 12.0
    plain: float = 18.0
    faint: float = 5.0
    plainly: float = 1.15
    hopeful_pose: float = 6.5
    hopeful_power: float = 5.5
    hopeful_pilot: float = 7.2
    hopeful_in_colour: int = 3
    hopeful_in_luma: int = 5
    hopeful_small: tuple[int, int] = (12, 24)
    hopeful_area: float = 250_000.0
    hopeful_shear_step: float = 0.016
    hopeful_piece: float = 100_000.0
    margin: float = 0.8
    blur: float = 1.25
    posed: int = 16
    loudest: int = 16
    cells: int = 12
    sharpened: int = 10
    shift_step: float = 2.5
    looked_at: int = 16
    sifted: int = 16
    polished: int = 4
    apart: float = 4.0
    reach: float = 560.0
    posed_reach: float = POSE_REACH
    longest: float = 1024.0
    loud: float = 8.0
    pose_climb: Pace = Pace(1.0, 8)
    sift_climb: Pace = Pace(1.0, 3)
    fine_climb: Pace = Pace(0.5, 8)
    power_climb: Pace = Pace(1.5, 6)
    window_climb: Pace = Pace(2.0, 8)
    slanted_cells: int = 6
    slanted_scales: tuple[float, ...] = (1.0, 0.88)
    slanted_poses: int = 2
    slant_sides: int = 8
    slant: float = 0.15
    slants_climbed: int = 4
    few_climb: Pace = Pace(6.0, 3)
    slant_climb: Pace = Pace(6.0, 10)
    worth_more_windows: float = 3.6
    hopeful_slant: float = 4.2
    message_limit: float = 2.0
    message_low: float = 0.13
    message_step: float = 0.75
    message_believe: float = 7.0
    message_climb: Pace = Pace(0.5, 10)
