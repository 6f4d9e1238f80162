"""The registry of issued marks: which number belongs to which image, in records that cannot be changed unnoticed."""

from watermark.registry.permutation import KeyedPermutation
from watermark.registry.records import History, IssueRecord, Slot
from watermark.registry.registry import Block, Registry
from watermark.registry.verification import Verification

__all__ = ["Block", "History", "IssueRecord", "KeyedPermutation", "Registry", "Slot", "Verification"]
