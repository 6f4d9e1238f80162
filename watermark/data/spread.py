"""A few of many, evenly; asks for no picture."""


def spread(limit: int | None, count: int) -> list[int]:
    """Which of ``count`` pictures to use so that ``limit`` of them cover the whole set; None: all."""
    if limit is None or limit >= count:
        return list(range(count))
    return [round(i * (count - 1) / max(1, limit - 1)) for i in range(limit)]
