"""From evidence to a platform's class. A policy is any function of ``Evidence``; this is the one used by default.

The classes are those of the Chinese Labelling Measures, Article 6, read literally: metadata confirms, a declaration
makes possible, other traces make suspected. Whether a watermark-only hit has that legal effect is not known to us.
"""

import pkgutil
from collections.abc import Callable

from watermark.errors import UserError
from watermark.identity.evidence import MEANINGS, Evidence, State, Verdict

Policy = Callable[[Evidence], Verdict]
UNRESOLVED = (State.HASH_MISMATCH, State.UNKNOWN_ID, State.SLOT_UNKNOWN, State.NAME_UNCERTAIN)
CLASS_OF_LABEL = {"1": "confirmed", "2": "possible", "3": "suspected"}


def measures_article_6(evidence: Evidence) -> Verdict:
    """Metadata first, then the declaration, then a matching watermark or a classifier.

    Only ``match`` (the mark's record and the looks agree) counts as a trace and supports an attribution. A mark whose
    picture or record does not fit asks for a person: somebody may have copied it onto human work.
    """
    mark = evidence.watermark
    attributed = None
    if mark.state is State.MATCH and mark.found and mark.found.record:
        attributed = mark.found.record.content_producer
    reasons = [f"watermark: {MEANINGS[mark.state]}"]
    labels = sorted(one.label.label for one in evidence.metadata if one.label and one.label.label in CLASS_OF_LABEL)
    contradicts = evidence.metadata_agrees is False
    if contradicts:
        reasons.append("metadata: names another producer or number than the watermark's record")
    guessed = bool(evidence.classifier and evidence.classifier["is_generated"])
    if labels:
        reasons.insert(0, f"metadata: an AIGC label says {labels[0]}")
        platform_class = CLASS_OF_LABEL[labels[0]]
    elif evidence.declared:
        reasons.insert(0, "declaration: the uploader says so, and there is no metadata label")
        platform_class = "possible"
    elif attributed is not None or guessed:
        if guessed:
            reasons.append("classifier: says generated")
        platform_class = "suspected"
    else:
        platform_class = "none"
    review = contradicts or mark.state in UNRESOLVED
    return Verdict(platform_class, attributed, review, tuple(reasons))


def load_policy(name: str) -> Policy:
    """The function that ``package.module:function`` names, so that a platform brings its own rules.

    Raises:
        UserError: there is no such function.
    """
    try:
        policy = pkgutil.resolve_name(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"expected a policy such as package.module:function, got {name!r} ({error})") from None
    if not callable(policy):
        raise UserError(f"expected a policy that is a function, {name!r} is not one")
    return policy
