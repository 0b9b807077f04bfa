"""What is in a recording: counted, drawn, taken out of it."""
