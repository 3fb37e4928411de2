"""Data integrity: declared rules on the tables that both systems write (C4)."""
