"""New documents written by a model: from seeds, topics or exercises, judged one by one, with their provenance.

settings.py    the TOML file                     answers.py   paid answers on disk, by what was asked
prompts.py     templates → messages              budget.py    what may be spent
topics.py      topic × audience × form × style   asking.py    an answer from disk, or paid for
items.py       what is to be written             forms.py     a reply → candidates
completion.py  a request and its answer          rules.py     why a candidate is not kept
writing.py     one item: ask, parse, judge       judging.py   rules that ask a model
order.py       items side by side, in order      run.py       a recipe → a folder, with its report
"""
