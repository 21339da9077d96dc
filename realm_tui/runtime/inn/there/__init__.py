"""The box's side of the Inn: keeps servers under a lease and forms in a store.

These modules are copied to a box as they are and run there with whatever Python it has: the standard library only, Python 3.8 or newer,
and nothing of this program. Requests and answers are JSON. Every call is a process of its own, so what is rarely needed is imported where it is.
"""
