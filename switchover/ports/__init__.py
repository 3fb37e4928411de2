"""What the engine needs from the outside, as protocols. Adapters and fakes implement them."""

from __future__ import annotations

from switchover.machine.propagation import Acknowledgement, Halt, Propagation
from switchover.ports.checking import AdapterValidator, CheckResult, CheckRunner, DataChecker
from switchover.ports.items import Item, ItemChange, ItemKey, ItemStore, ItemTracker
from switchover.ports.ledger import (
    SAMPLES_KEPT,
    Effect,
    Entry,
    Fold,
    Ingested,
    Ledger,
    Part,
    Record,
    StageTally,
    StoredPlan,
)
from switchover.ports.observation import BlockStream, Mark, MetricSource, Reading
from switchover.ports.outside import Launcher, Pager
from switchover.ports.routing import MeasuredShare, RoutingStore, TrafficSplit, TrafficSplits

__all__ = [
    "SAMPLES_KEPT",
    "Acknowledgement",
    "AdapterValidator",
    "BlockStream",
    "CheckResult",
    "CheckRunner",
    "DataChecker",
    "Effect",
    "Entry",
    "Fold",
    "Halt",
    "Ingested",
    "Item",
    "ItemChange",
    "ItemKey",
    "ItemStore",
    "ItemTracker",
    "Launcher",
    "Ledger",
    "Mark",
    "MeasuredShare",
    "MetricSource",
    "Pager",
    "Part",
    "Propagation",
    "Reading",
    "Record",
    "RoutingStore",
    "StageTally",
    "StoredPlan",
    "TrafficSplit",
    "TrafficSplits",
]
