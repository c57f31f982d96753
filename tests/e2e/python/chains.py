"""Runs LangChain's chat models, and prints what they gave."""
import json
import sys

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

given = json.load(sys.stdin)
common = {"model": given["model"], "api_key": given["api_key"], "max_retries": 0}
v1 = f"{given['base_url']}/v1"
models = {
    "openai": ChatOpenAI(base_url=v1, stream_usage=True, **common),
    "responses": ChatOpenAI(base_url=v1, use_responses_api=True, **common),
    "anthropic": ChatAnthropic(base_url=given["base_url"], **common),
}


class CityReport(BaseModel):
    """The city of the question."""

    city: str


@tool
def get_weather(city: str) -> str:
    """The weather."""
    return f"Snow in {city}"


def invoke(runnable, messages):
    return runnable.invoke(messages)


def stream(runnable, messages):
    message = None
    for piece in runnable.stream(messages):
        message = piece if message is None else message + piece
    return message


def shown(message):
    return {"text": message.text, "usage": message.usage_metadata}


def loop(run, model):
    runnable = model.bind_tools([get_weather])
    messages = [HumanMessage(given["question"])]
    first = run(runnable, messages)
    messages.append(first)
    for call in first.tool_calls:
        messages.append(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]))
    calls = [[call["name"], call["args"]] for call in first.tool_calls]
    return {"calls": calls, "text": run(runnable, messages).text}


print(json.dumps({
    name: {
        "invoke": shown(invoke(model, given["question"])),
        "stream": shown(stream(model, given["question"])),
        "loop": loop(invoke, model),
        "stream_loop": loop(stream, model),
        "structured": model.with_structured_output(CityReport).invoke(given["question"]).model_dump(),
    }
    for name, model in models.items()
}))
