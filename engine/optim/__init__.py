"""Optimizers, their schedule and the averaged weights."""
