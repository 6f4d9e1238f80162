import pytest

from watermark.codec.payload import Layout, Payload
from watermark.errors import UserError
from watermark.labels import soft_binding


def test_the_assertion_names_the_payload_in_the_documented_shape():
    name = soft_binding.algorithm_name("org.example", "tile_spread", "1")
    payload = Payload(provider_id=5, content_id=2**40 - 2, version=1)
    data = soft_binding.soft_binding_assertion(name, Layout(), payload)
    assert data["alg"] == "org.example.tile_spread.1"
    assert data["blocks"] == [{"scope": {}, "value": "56*" + "0001" + "000000000101" + "1" * 39 + "0"}]
    assert soft_binding.payload_of(data, Layout()) == payload


@pytest.mark.parametrize("value", ["", "56*01", "55*" + "0" * 56, "56*" + "2" * 56])
def test_a_value_of_another_shape_is_refused(value):
    with pytest.raises(UserError, match="soft-binding value of 56 bits"):
        soft_binding.payload_of({"blocks": [{"value": value}]}, Layout())


def test_a_name_that_is_no_reversed_domain_is_refused():
    with pytest.raises(UserError, match="reversed domain"):
        soft_binding.algorithm_name("me", "", "1")
