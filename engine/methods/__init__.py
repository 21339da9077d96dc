"""Which weights of a hero move: all of them, or small matrices beside frozen, maybe quantised ones."""
