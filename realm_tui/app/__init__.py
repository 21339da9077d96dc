"""The Textual app: screens, widgets, actions. The only package that imports textual."""
