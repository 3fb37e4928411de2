"""What the systems do, as counts: the recorder in the application, the stream it ships to."""
