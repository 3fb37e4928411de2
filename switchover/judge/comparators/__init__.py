"""One file for each way to compare two values of a field."""
