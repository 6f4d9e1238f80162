"""The registry of issued marks: which number belongs to which image, in records that cannot be changed unnoticed."""

from watermark.registry.ledger import Verification
from watermark.registry.permutation import KeyedPermutation
from watermark.registry.records import Found, IssueRecord, Slot
from watermark.registry.registry import Allocator, Block, Registry

__all__ = ["Allocator", "Block", "Found", "IssueRecord", "KeyedPermutation", "Registry", "Slot", "Verification"]
