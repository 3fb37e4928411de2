"""One file per version of the schema. There is no way down: restore a backup instead."""
