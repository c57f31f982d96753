"""Chats with a DeepSeek account through the official SDK, and prints what it got or what was raised."""
import json
import sys

import openai
from openai import OpenAI
from pydantic import BaseModel

given = json.load(sys.stdin)
client = OpenAI(base_url=given["base_url"], api_key=given["api_key"], max_retries=0)
messages = given["messages"]


class City(BaseModel):
    city: str


def text(stream):
    deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
    return {
        "content": "".join(delta.content or "" for delta in deltas),
        "reasoning": "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas),
    }


def raised(**options):
    try:
        client.chat.completions.create(messages=messages, **options)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code]
    return None


def create(**options):
    return client.chat.completions.create(messages=messages, **options)


plain = create(model="deepseek-reasoner")
tool = create(model="deepseek-chat", tools=given["tools"]).choices[0]
with client.chat.completions.stream(model="deepseek-chat", messages=messages, tools=given["tools"]) as streamed:
    final = streamed.get_final_completion().choices[0]

print(json.dumps({
    "plain": plain.model_dump(),
    "stream": text(create(model="deepseek-reasoner", stream=True)),
    "tool": tool.model_dump(),
    "tool_stream": final.model_dump(exclude={"message": {"parsed": True}}),
    "parsed": client.chat.completions.parse(model="deepseek-v3", messages=messages, response_format=City)
    .choices[0].message.parsed.city,
    "search": client.chat.completions.create(model="deepseek-chat-search", messages=given["search"])
    .choices[0].message.model_dump(),
    "image": raised(model="deepseek-chat", extra_body={"messages": given["image"]}),
    "unknown": raised(model="nobody-has-this"),
}))
