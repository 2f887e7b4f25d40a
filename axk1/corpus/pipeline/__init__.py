"""A corpus pipeline as data: sources and steps in a TOML file, carried out in tasks on one machine or many.

settings.py   the TOML file                       task.py      one task: documents in, a part out, a marker
phases.py     steps → phases, by their scope      meter.py     what every step did, and how long it took
plan.py       inputs → tasks                      samples.py   documents to look at, before and after
layout.py     where everything lies               report.py    all tasks' counts as one
pipeline.py   plan, run what is missing, report   workers.py   a process per task on this machine
                                                  cluster.py   the same by datatrove's executors
"""
