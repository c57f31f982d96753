"""Calls every route with the official SDK and prints what it got."""
import json
import sys

from openai import OpenAI

given = json.load(sys.stdin)
client = OpenAI(base_url=given["base_url"], api_key=given["api_key"], max_retries=0)
chat = {"model": given["model"], "messages": given["messages"]}
usage = {"stream_options": {"include_usage": True}}


def plain(**options):
    return client.chat.completions.create(**chat, **options).model_dump()


def stream(**options):
    return [chunk.model_dump() for chunk in client.chat.completions.create(**chat, stream=True, **options)]


print(json.dumps({
    "plain": plain(),
    "stream": stream(),
    "usage_stream": stream(**usage),
    "tools": plain(tools=given["tools"]),
    "tools_stream": stream(tools=given["tools"], **usage),
    "embeddings": client.embeddings.create(model=given["model"], input="one").model_dump(),
    "completion": client.completions.create(model=given["model"], prompt="Once").model_dump(),
    "moderation": client.moderations.create(model=given["model"], input="hello").model_dump(),
}))
