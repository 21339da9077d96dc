"""What the face and the engine share: states, the live ring, the command protocol. Loads neither torch nor textual."""
