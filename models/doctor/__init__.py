"""What is wrong with a machine, and what mends it: facts are read, and findings follow from facts alone.

facts = read_facts(workspace.root)        quick: asks NVML, psutil and files; imports no torch
facts = try_everything(facts, progress)   slower: imports the libraries in processes of their own, asks the Hub
examine(facts)                            list[Finding]: what was seen, why it matters, what mends it
"""
