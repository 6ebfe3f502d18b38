"""Hearth's page in other languages: one YAML file for each, beside this one.

The code is written in English, and so is what jobs write down. Texts are translated where they leave for the browser:
the page as it is laid out (`requests.py`), then whatever a handler answers (`answers.py`). A text is looked up whole,
or as what the code makes it from: `{0} of {1} rows` stands for f"{done} of {total} rows". `collect.py` finds both in
the code; `python -m ui.translation.collect zh` writes what is new into zh.yaml. What people or models wrote is marked
with HTML's own translate="no", and stays as it is.
"""
