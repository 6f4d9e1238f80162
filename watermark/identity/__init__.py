"""Issue pictures with an identity, and trace pictures back to it."""

from watermark.identity.evidence import Evidence, State, Verdict, WatermarkEvidence, public, to_json
from watermark.identity.issuing import Request, issue
from watermark.identity.looks import Likeness, compare, hash_distance, perceptual_hash, thumbnail
from watermark.identity.policy import Policy, measures_article_6
from watermark.identity.tracing import Candidate, Marker, look_up, trace, trace_content

__all__ = [
    "Candidate",
    "Evidence",
    "Likeness",
    "Marker",
    "Policy",
    "Request",
    "State",
    "Verdict",
    "WatermarkEvidence",
    "compare",
    "hash_distance",
    "issue",
    "look_up",
    "measures_article_6",
    "perceptual_hash",
    "public",
    "thumbnail",
    "to_json",
    "trace",
    "trace_content",
]
