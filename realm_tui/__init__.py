"""The face: command line, runtime services and the Textual app."""
