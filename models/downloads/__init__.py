"""Models from the Hub: fetched whole and checked, resumed where they were cut, listed and deleted.

huggingface_hub lists a repository's files and lays them out in its cache. The bytes themselves are fetched here: since
its version 1.0 the library begins a file anew after every failure or kill, and compares sizes but no checksums.
"""
