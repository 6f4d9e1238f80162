"""A detector's answer as half a line, the same at every door."""

from watermark.detection.answer import Detection, PublicAnswer


def said(found: Detection | PublicAnswer) -> str:
    """What was found and how sure it is.

    Example:
        >>> said(Detection(is_marked=True, log10_p=-81.26, provider_id=7, content_id=123))
        'marked, provider 7, content 123 (log10 p -81.3)'
    """
    how_sure = _how_sure(found)
    if not found.is_marked:
        return f"not marked{how_sure}"
    if found.name_uncertain:
        excuse = found.name_uncertain if isinstance(found.name_uncertain, str) else "too faint to say whose ID"
        whose = "with this key" if found.provider_id is None else f"by provider {found.provider_id}"
        return f"marked {whose}, {excuse}{how_sure}"
    return f"marked, provider {found.provider_id}, content {found.content_id}{how_sure}"


def _how_sure(found: Detection | PublicAnswer) -> str:
    if not isinstance(found, PublicAnswer):
        return f" (log10 p {found.log10_p:.1f})"
    return f" (by chance at most 1 time in {found.at_most_one_in:,})" if found.at_most_one_in else ""
