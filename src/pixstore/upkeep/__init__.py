"""Looking after a store: its versions and their names, going back, making it small again."""

from pixstore.upkeep.compaction import CompactReport
from pixstore.upkeep.garbage import GcReport
from pixstore.upkeep.history import VersionFacts
from pixstore.upkeep.store import Store

__all__ = ["CompactReport", "GcReport", "Store", "VersionFacts"]
