"""Anthropic's Python library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END."""

import os
import time

import anthropic

MODEL = "smollm2:135m"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "name": "weather",
    "description": "Tells the weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
client = anthropic.Anthropic(base_url=os.environ["HERDER"], api_key="none", timeout=60, max_retries=0)


def check(name, work):
    try:
        print(f"PASS {name}: {work() or ''}", flush=True)
    except Exception as error:  # Whatever it is, the other checks still run.
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)


def conversation():
    """Questions that a tool answered, and one more: a model as small as this one goes on as it was shown."""
    messages = []
    for city in ["London", "Rome", "Oslo"]:
        call = {"type": "tool_use", "id": f"call_{city}", "name": "weather", "input": {"city": city}}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "Sunny."}
        messages += [
            {"role": "user", "content": f"How is the weather in {city}?"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": "Sunny."},
        ]
    return messages + [{"role": "user", "content": "How is the weather in Paris?"}]


def listing():
    names = [model.id for model in client.models.list()]
    assert MODEL in names, names
    return ", ".join(names)


def message():
    answer = client.messages.create(model=MODEL, messages=HELLO, max_tokens=4, system="Be brief.")
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", MODEL), answer
    assert answer.content[0].type == "text" and 1 <= answer.usage.output_tokens <= 4, answer
    assert answer.usage.input_tokens > 0 and answer.stop_reason in ("max_tokens", "end_turn"), answer
    return repr(answer.content[0].text)


def stream():
    with client.messages.stream(model=MODEL, messages=HELLO, max_tokens=8, extra_body={"temperature": 0}) as events:
        kinds = [event.type for event in events]
        whole = events.get_final_message()
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop"), kinds
    assert "content_block_delta" in kinds, kinds
    assert whole.content[0].text and whole.stop_reason in ("max_tokens", "end_turn"), whole
    assert 1 <= whole.usage.output_tokens <= 8, whole.usage
    return f"{len(kinds)} events"


def tools():
    request = {"model": "smollm2:tools", "messages": conversation(), "tools": [WEATHER], "max_tokens": 60}
    greedy = {"temperature": 0}
    answer = client.messages.create(**request, extra_body=greedy)
    with client.messages.stream(**request, extra_body=greedy) as events:
        streamed = events.get_final_message()
    for told in [answer, streamed]:
        called = told.content[-1]
        assert (called.type, called.name, called.input) == ("tool_use", "weather", {"city": "Paris"}), told
        assert called.id and told.stop_reason == "tool_use", told
    return f"{called.name}({called.input})"


def tools_without():
    try:
        client.messages.create(model=MODEL, messages=HELLO, max_tokens=4, tools=[WEATHER])
    except anthropic.BadRequestError as error:
        assert error.type == "invalid_request_error" and "does not support tools" in error.message, error
        return error.body["error"]["message"]
    raise AssertionError("no error")


def unknown_model():
    for streamed in [False, True]:
        try:
            client.messages.create(model="nope", messages=HELLO, max_tokens=4, stream=streamed)
        except anthropic.NotFoundError as error:
            assert error.type == "not_found_error" and "nope" in error.message, error
            told = error.body["error"]["message"]
        else:
            raise AssertionError("no error")
    return told


def bad_request():
    told = []
    for wrong in [{"messages": []}, {"max_tokens": 0}]:
        try:
            client.messages.create(**{"model": MODEL, "messages": HELLO, "max_tokens": 4, **wrong})
        except anthropic.BadRequestError as error:
            assert error.type == "invalid_request_error", error
            told.append(error.body["error"]["message"])
        else:
            raise AssertionError(f"no error with {wrong}")
    return "; ".join(told)


def cancellation():
    story = [{"role": "user", "content": "Write a very long story about a lighthouse."}]
    # This takes a minute.
    answer = client.messages.create(
        model=MODEL, messages=story, max_tokens=4000, stream=True, extra_body={"temperature": 0}
    )
    for event in answer:
        if event.type == "content_block_delta":
            break
    answer.close()
    began = time.monotonic()
    client.messages.create(model=MODEL, messages=HELLO, max_tokens=1)
    seconds = time.monotonic() - began
    assert seconds < 30, seconds
    return f"the next answer after {seconds:.2f} s"


for name, work in [
    ("list", listing),
    ("message", message),
    ("stream", stream),
    ("tools", tools),
    ("tools-without", tools_without),
    ("unknown-model", unknown_model),
    ("bad-request", bad_request),
    ("cancellation", cancellation),
]:
    check(name, work)
print("END")
