"""Reads a stream that breaks, and prints what was raised."""
import json
import sys

from openai import OpenAI

given = json.load(sys.stdin)
client = OpenAI(base_url=given["base_url"], api_key=given["api_key"], max_retries=0)
chunks, raised = 0, None
try:
    for _ in client.chat.completions.create(model=given["model"], messages=given["messages"], stream=True):
        chunks += 1
except Exception as error:  # the test says which it must be
    raised = type(error).__name__
print(json.dumps({"chunks": chunks, "raised": raised}))
