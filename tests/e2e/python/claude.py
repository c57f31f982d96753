"""Talks to Claude's Messages through the official SDK, and prints what it got or what was raised."""
import json
import sys

import anthropic
from anthropic import Anthropic, beta_tool

given = json.load(sys.stdin)
client = Anthropic(base_url=given["base_url"], api_key=given["api_key"], max_retries=0)
chat = {"model": given["model"], "max_tokens": 2048, "messages": given["messages"]}
tools = {"tools": given["tools"], "thinking": {"type": "enabled", "budget_tokens": 1024}}
asked = []


@beta_tool
def get_weather(city: str) -> str:
    """The weather."""
    asked.append(city)
    return f"Snow in {city}"


def helper(**options):
    with client.messages.stream(**chat, **options) as stream:
        return stream.get_final_message()


def said(message):
    return "".join(block.text for block in message.content if block.type == "text")


def streamed_text():
    events = client.messages.create(**chat, stream=True)
    return "".join(event.delta.text for event in events if event.type == "content_block_delta")


def streaming_runner():
    for stream in client.beta.messages.tool_runner(**chat, tools=[get_weather], stream=True):
        message = stream.get_final_message()
    return said(message)


def raised(key=given["api_key"], **options):
    try:
        Anthropic(base_url=given["base_url"], api_key=key, max_retries=0).messages.create(**{**chat, **options})
    except anthropic.APIStatusError as error:
        assert error.request_id
        return [type(error).__name__, error.status_code]
    return None


tool = client.messages.create(**chat, **tools)
call = tool.content[-1]
result = {"type": "tool_result", "tool_use_id": call.id, "content": f"Snow in {call.input['city']}"}
turn = [*given["messages"], {"role": "assistant", "content": tool.content}, {"role": "user", "content": [result]}]
count = {"model": given["model"], "messages": given["messages"]}

print(json.dumps({
    "plain": client.messages.create(**chat).model_dump(),
    "helper": helper().model_dump(),
    "text": streamed_text(),
    "tool": tool.model_dump(),
    "tool_stream": helper(**tools).model_dump(),
    "second": client.messages.create(**{**chat, "messages": turn}, **tools).model_dump(),
    "runner": said(client.beta.messages.tool_runner(**chat, tools=[get_weather]).until_done()),
    "streaming_runner": streaming_runner(),
    "asked": asked,
    "counts": [
        client.messages.count_tokens(**count).input_tokens,
        client.messages.count_tokens(**count, tools=given["tools"], system="Be terse.").input_tokens,
    ],
    "models": [model.id for model in client.models.list(limit=2)],
    "model": client.models.retrieve("native").id,
    "errors": [raised(key="sk-nobody"), raised(model="unheard-of"), raised(messages=[])],
}))
