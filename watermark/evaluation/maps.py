"""Maps of what attacks edited: which cells are mapped, and what the rows say of each map."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from attacks.edited import Edited, tells
from watermark.errors import UserError
from watermark.evaluation.job import Job
from watermark.evaluation.records import MAPS
from watermark.evaluation.suite import Cell
from watermark.localization import FALSE_ALARM_RATE, Localization, can_be_located
from watermark.localization.drawing import drawn, outlined
from watermark.localization.fit import Fit, fit
from watermark.pixels import to_image, to_tensor
from watermark.watermarker import Watermarker


def check_maps(job: Job) -> None:
    """Refuse a job that wants maps and can have none.

    Raises:
        UserError: if no scheme's marks can be located, or no attack says where it edits.
    """
    if not job.localize:
        return
    subjects = [job.subject(name) for name in job.config["schemes"]]
    if not any(isinstance(one, Watermarker) and can_be_located(one.scheme) for one in subjects):
        named = ", ".join(job.config["schemes"])
        raise UserError(f"localize: expected a scheme whose marks can be located (tile_spread, learned), got {named}")
    if not any(cell.attack is not None and is_mapped(cell) for cell in job.cells):
        raise UserError("localize: expected a suite with edits that say where they edit, such as suite=edits")


def is_mapped(cell: Cell) -> bool:
    """The untouched picture, and what says where it edits; a search looks for a strength and not for parts."""
    return cell.search is None and (cell.attack is None or tells(cell.attack))


def maps_of(marker: Watermarker, attacked: Tensor) -> list[Localization]:
    """The map of every picture ``(N, 3, H, W)``, of its best proven mark alone."""
    return marker.locate(attacked, false_alarm_rate=FALSE_ALARM_RATE, others=False)


def compared(maps: list[Localization], attacked: Tensor, edited: Edited | None) -> tuple[list[Fit], Tensor]:
    """What each map is worth, and pictures of them.

    Args:
        maps: of the pictures.
        attacked: ``(N, 3, H, W)``.
        edited: how they came about; None: untouched.

    Returns:
        A fit per picture; and ``(N, 3, H, W)``, the maps over their pictures with the true part in an outline.
    """
    if edited is None:
        part = around = torch.zeros(len(attacked), *attacked.shape[-2:], dtype=torch.bool)
    else:
        part, around = (each.cpu() for each in edited.parts())
    fits, pictures = [], []
    for i, where in enumerate(maps):
        true: np.ndarray = part[i].numpy()
        fits.append(fit(where, true, around[i].numpy()))
        pictures.append(to_tensor(outlined(drawn(to_image(attacked[i : i + 1]), where), true)))
    return fits, torch.cat(pictures)


def columns(fitted: Fit | None) -> dict[str, Any]:
    """What a row says of a map; all None where there is none."""
    if fitted is None:
        return dict.fromkeys(MAPS)
    return {
        "edited_area": fitted.area,
        "map_f1": fitted.f1,
        "map_iou": fitted.iou,
        "map_alarms": fitted.alarms,
        "map_reached_1e2": fitted.reached[0],
        "map_reached_1e3": fitted.reached[1],
        "map_edited_marked": fitted.edited_marked,
        "map_unknown": fitted.unknown,
        "map_kept_edited": fitted.kept_edited,
    }
