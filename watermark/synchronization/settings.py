"""What a search tries, and what it believes: every number that decides accuracy, and how it was set.

"Probes" are paired readings of the hard cells of ``docs/design/keyed.md`` on photographs that no table reports.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchSettings:
    """How far and how finely is searched. Scores are in standard deviations of an unmarked picture.

    Attributes:
        scales: least and greatest picture px per plane px. Screenshots at .35 to pictures enlarged 2.6 times.
        aspect: greatest ratio of the two scales: half as wide is read, and 2.2 times as wide.
        angle_step: degrees between cells of the coarse search: .65 px at the border of 400 px.
        scale_step: ratio minus one between cells: 1 px there.
        stretch_step: the same where both scales are searched.
        accept: pilot score from which an alignment is believed. Unmarked pictures reach 7 after all searches.
        plain: pilot score of a pose from which nothing is gained by looking closer.
        faint: pilot score of a pose below which nothing is gained either: so loud is the best of all without a mark.
        plainly: how many times the score of a pose a climb from it must reach to be more than noise: six free
            parameters add about one deviation where the pilot stands at seven.
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
    """

    scales: tuple[float, float] = (0.35, 2.6)
    aspect: float = 2.25
    angle_step: float = 0.375
    scale_step: float = 0.005
    stretch_step: float = 0.008
    accept: float = 12.0
    plain: float = 18.0
    faint: float = 5.0
    plainly: float = 1.15
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
    posed_reach: float = 64.0
    longest: float = 1024.0
    loud: float = 8.0
