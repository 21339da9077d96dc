"""What runs behind any face: finding and starting the engine, status, the board, the writer."""
