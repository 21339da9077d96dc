"""The realm's own inference worker: answers of exactly the form that was asked for, over a unix socket.

One event loop speaks HTTP and never waits for a model; one thread loads forms, one decodes. Nothing before `engine.worker.loading`
knows torch, so the worker says that it is there before it can answer.
"""
