"""Uses the Responses API through the official SDK, and prints what it got or what was raised."""
import json
import sys
import time
import warnings

import openai
from openai import OpenAI
from pydantic import BaseModel

given = json.load(sys.stdin)
client = OpenAI(base_url=given["base_url"], api_key=given["api_key"], max_retries=0)
base = {"model": given["model"], "input": given["input"]}
tools = given["tools"]


class City(BaseModel):
    city: str


def shown(response):
    thoughts = [part.text for item in response.output if item.type == "reasoning" for part in item.summary]
    return {
        "text": response.output_text,
        "thought": "".join(thoughts),
        "status": response.status,
        "usage": response.usage.model_dump(),
    }


def final(**options):
    with client.responses.stream(**options) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()


def retrieve(response_id):
    """Keeping may happen after the answer: it is waited for."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return client.responses.retrieve(response_id)
        except openai.NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def loop(get, chained=False):
    first = get(**base, tools=tools)
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Snow"}
    if chained:
        retrieve(first.id)
        return get(model=given["model"], input=[result], tools=tools, previous_response_id=first.id).output_text
    history = [{"role": "user", "content": given["input"]}, *first.output, result]
    return get(model=given["model"], input=history, tools=tools).output_text


def raised(call, *args, **options):
    try:
        call(*args, **options)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


create = client.responses.create
plain = create(**base)
retrieved = retrieve(plain.id)
client.responses.delete(plain.id)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for response in (plain, final(**base), create(**base, tools=tools)):
        response.model_dump_json()
stranger = OpenAI(base_url=given["base_url"], api_key="sk-nobody", max_retries=0)

print(json.dumps({
    "plain": shown(plain),
    "streamed": shown(final(**base)),
    "warnings": [str(warning.message) for warning in caught],
    "history": loop(create),
    "chained": loop(create, chained=True),
    "streamed_loop": loop(final),
    "parsed": client.responses.parse(**base, text_format=City).output_parsed.city,
    "parsed_stream": final(**base, text_format=City).output_parsed.city,
    "retrieved": retrieved.output_text,
    "errors": {
        "deleted": raised(client.responses.retrieve, plain.id),
        "background": raised(create, **base, background=True),
        "unknown": raised(create, model="unheard-of", input="x"),
        "key": raised(stranger.responses.create, **base),
    },
}))
