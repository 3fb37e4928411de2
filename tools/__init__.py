"""What `make` runs beside the library: set-up, checks of the documents, generated references."""
