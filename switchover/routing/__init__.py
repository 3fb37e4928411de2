"""Where a request goes: sticky buckets, the compiled document, the router and its store."""
