from watermark.detection.measure import measure, table


def test_a_strong_mark_is_measured_as_found_and_a_weak_one_as_lost():
    strong, weak = measure("l64 in 256", 3.0, 20), measure("l64 in 256", -9.0, 20)
    assert (strong.lost, strong.detected, strong.misattributed) == (0, 20, 0)
    assert (weak.lost, weak.detected) == (20, 0)
    assert "100.00 [83.89, 100.00]" in table([strong, weak])
