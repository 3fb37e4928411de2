"""The machine: state, events and decisions of one migration. Pure, no I/O."""
