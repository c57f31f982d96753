"""Reads a stream of Claude's Messages that breaks or is asked for again, and prints what came and what was raised."""
import json
import sys

import anthropic

given = json.load(sys.stdin)
client = anthropic.Anthropic(base_url=given["base_url"], api_key=given["api_key"], max_retries=given["max_retries"])
text, raised, is_api_error = "", None, False
try:
    for event in client.messages.create(model=given["model"], max_tokens=512, messages=given["messages"], stream=True):
        text += event.delta.text if event.type == "content_block_delta" else ""
except Exception as error:  # the test says which it must be
    raised, is_api_error = type(error).__name__, isinstance(error, anthropic.APIError)
print(json.dumps({"text": text, "raised": raised, "is_api_error": is_api_error}))
