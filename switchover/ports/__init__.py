"""What the engine needs from the outside, as protocols. Adapters and fakes implement them."""

from __future__ import annotations

from switchover.machine.inbox import Inbox
from switchover.machine.propagation import Acknowledgement, Halt, Propagation, Routed
from switchover.ports.checking import (
    ActionRunner,
    AdapterValidator,
    CheckResult,
    CheckRunner,
    DataChecker,
    ProbeRunner,
    RecordedPart,
)
from switchover.ports.drilling import Rehearsal, Rehearsals
from switchover.ports.freezes import ALL, Freeze
from switchover.ports.guards import GuardBeat, Guards
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
    Standing,
    StoredPlan,
)
from switchover.ports.observation import BlockStream, Mark, MetricSource, Reading
from switchover.ports.outside import Announcement, Announcements, EventSink, Launcher, Pager
from switchover.ports.people import Approver, Approvers
from switchover.ports.routing import (
    MeasuredShare,
    RoutingStore,
    TrafficSplit,
    TrafficSplits,
)
from switchover.ports.spool import Order, Spool

__all__ = [
    "ALL",
    "SAMPLES_KEPT",
    "Acknowledgement",
    "ActionRunner",
    "AdapterValidator",
    "Announcement",
    "Announcements",
    "Approver",
    "Approvers",
    "BlockStream",
    "CheckResult",
    "CheckRunner",
    "DataChecker",
    "Effect",
    "Entry",
    "EventSink",
    "Fold",
    "Freeze",
    "GuardBeat",
    "Guards",
    "Halt",
    "Inbox",
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
    "Order",
    "Pager",
    "Part",
    "ProbeRunner",
    "Propagation",
    "Reading",
    "Record",
    "RecordedPart",
    "Rehearsal",
    "Rehearsals",
    "Routed",
    "RoutingStore",
    "Spool",
    "StageTally",
    "Standing",
    "StoredPlan",
    "TrafficSplit",
    "TrafficSplits",
]
