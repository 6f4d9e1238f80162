"""The 27-character service provider code, as documented: shape only, nobody is looked up."""

import re
from dataclasses import dataclass

from watermark.errors import UserError

_SHAPE = re.compile(
    r"00(?P<subject_type>[0-9A-Z])(?P<binding_type>[0-9A-Z])(?P<subject>[0-9A-Z]{18})(?P<service>[0-9A-Z]{5})"
)


@dataclass(frozen=True)
class ProviderCode:
    """The parts of a code (positions 3, 4, 5-22, 23-27; positions 1-2 are fixed ``00``).

    Attributes:
        subject_type: ``1`` is an organisation; other values are not known to us and accepted.
        binding_type: ``1`` is a unified social credit code; other values are not known to us and accepted.
        subject: 18 characters that name the provider.
        service_type: ``1`` generates, ``2`` propagates, ``0`` unused (the whole service part is then ``00000``).
        model: the provider's own four characters for a model or app.
    """

    subject_type: str
    binding_type: str
    subject: str
    service_type: str
    model: str

    @classmethod
    def parse(cls, code: str) -> "ProviderCode":
        """Split a code.

        Raises:
            UserError: the code has not the documented shape.
        """
        parts = _SHAPE.fullmatch(code)
        if parts is None:
            raise UserError(f"expected a provider code of 27 characters 0-9 A-Z that begins with 00, got {code!r}")
        service_type, model = parts["service"][0], parts["service"][1:]
        if service_type not in "012" or (service_type == "0" and model != "0000"):
            raise UserError(
                f"expected service type 1, 2 or the whole part 00000 at positions 23-27, got {parts['service']}"
            )
        return cls(parts["subject_type"], parts["binding_type"], parts["subject"], service_type, model)

    def __str__(self) -> str:
        return f"00{self.subject_type}{self.binding_type}{self.subject}{self.service_type}{self.model}"
