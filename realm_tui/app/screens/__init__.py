"""The Battle screen and the dialogs over it."""
