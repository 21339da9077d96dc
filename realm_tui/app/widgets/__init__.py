"""The panels of the Battle screen, one a file: a pure function from facts to rows, and the widget that draws it."""
