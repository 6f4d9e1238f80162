"""Other people's marks as schemes: their packages and weights, our code words, and so our proof of a mark.

None of these packages is needed by anything else here. A peer that takes raw bits carries the channel bits of our
codec, whose keyed signs prove a mark of any scheme (``watermark.detection.null``). What a peer thinks of its own answer
(thresholds, own error correction) is left out.
"""

from watermark.schemes.peers.blind_watermark import BlindWatermark
from watermark.schemes.peers.command import Command
from watermark.schemes.peers.function import Function
from watermark.schemes.peers.invisible_watermark import DwtDctMax, DwtDctSvdMax, RivaGan
from watermark.schemes.peers.latent import LatentMark
from watermark.schemes.peers.peer import Peer
from watermark.schemes.peers.signature import Signature
from watermark.schemes.peers.sized import SizedMark
from watermark.schemes.peers.stegastamp import StegaStamp
from watermark.schemes.peers.torchscript import TorchScriptMark
from watermark.schemes.peers.trustmark import TrustMark

__all__ = [
    "BlindWatermark",
    "Command",
    "DwtDctMax",
    "DwtDctSvdMax",
    "Function",
    "LatentMark",
    "Peer",
    "RivaGan",
    "Signature",
    "SizedMark",
    "StegaStamp",
    "TorchScriptMark",
    "TrustMark",
]
