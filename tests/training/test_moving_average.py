import torch
from torch import nn

from watermark.training.checkpoint import moving_average


def layer(value):
    one = nn.BatchNorm1d(1)
    nn.init.constant_(one.weight, value)
    one.running_mean.fill_(10 * value)
    one.num_batches_tracked.fill_(round(value))
    return one


def test_the_average_of_three_steps_is_the_closed_form():
    """Update n keeps min(decay, n / (10 + n)) of what was there: 1/11, 1/6, and then decay, which is 1/5 here."""
    model = layer(1.0)
    average = moving_average(model, decay=0.2)
    for value in (2.0, 4.0, 8.0):
        model.load_state_dict(layer(value).state_dict())
        average.update_parameters(model)
    expected = 1.0
    for kept, value in ((1 / 11, 2.0), (1 / 6, 4.0), (0.2, 8.0)):
        expected = kept * expected + (1 - kept) * value
    assert abs(average.module.weight.item() - expected) < 1e-6
    assert abs(float(average.module.running_mean) - 10 * expected) < 1e-5  # buffers follow too
    assert int(average.module.num_batches_tracked) == 8  # integers are copied
    assert model.weight.item() == 8.0  # the model itself is left alone


def test_the_average_begins_as_the_model_and_is_a_copy():
    model = layer(3.0)
    average = moving_average(model, decay=0.9)
    nn.init.zeros_(model.weight)
    assert average.module.weight.item() == 3.0


def test_the_average_goes_on_from_its_state():
    model = layer(1.0)
    whole, first, second = (moving_average(model, decay=0.5) for _ in range(3))
    for value in (2.0, 3.0, 5.0):
        nn.init.constant_(model.weight, value)
        whole.update_parameters(model)
        (first if value < 5 else second).update_parameters(model)
        if value == 3.0:
            second.load_state_dict(first.state_dict())
    assert torch.equal(whole.module.weight, second.module.weight)
