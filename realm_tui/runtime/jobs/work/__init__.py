"""The hands of the job schools, one module for each."""
