"""One hero trained by several processes: the first plays the game, the others do what it says at step boundaries."""
