"""OpenAI's Python library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END."""

import os
import time

import openai

MODEL = "smollm2:135m"
HELLO = [{"role": "user", "content": "Hello"}]
client = openai.OpenAI(base_url=f"{os.environ['HERDER']}/v1", api_key="none", timeout=60, max_retries=0)


def check(name, work):
    try:
        print(f"PASS {name}: {work() or ''}", flush=True)
    except Exception as error:  # Whatever it is, the other checks still run.
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)


def listing():
    names = [model.id for model in client.models.list()]
    assert MODEL in names, names
    assert client.models.retrieve(MODEL).id == MODEL
    return ", ".join(names)


def chat():
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=4)
    assert answer.choices[0].message.role == "assistant" and answer.usage.completion_tokens <= 4, answer
    return repr(answer.choices[0].message.content)


def stream():
    parts = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert any(part.choices and part.choices[0].finish_reason for part in parts), parts
    assert not parts[-1].choices and parts[-1].usage.completion_tokens <= 8, parts[-1]
    return f"{len(parts)} parts"


def completion():
    answer = client.completions.create(model=MODEL, prompt="Hello", max_tokens=4)
    return repr(answer.choices[0].text)


def responses():
    answer = client.responses.create(model=MODEL, input="Hello", max_output_tokens=4)
    assert answer.output[0].content[0].type == "output_text", answer
    kinds = [event.type for event in client.responses.create(model=MODEL, input="Hello", max_output_tokens=4, stream=True)]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    return f"{len(kinds)} events"


def tools():
    parameters = {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]}
    call = {
        "type": "object",
        "properties": {"name": {"const": "weather"}, "parameters": parameters},
        "required": ["name", "parameters"],
    }
    answer = client.chat.completions.create(
        model="smollm2:tools",
        messages=[{"role": "user", "content": "How is the weather in Paris?"}],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": parameters}}],
        # A model as small as this one calls a tool only where it can say nothing else.
        response_format={"type": "json_schema", "json_schema": {"name": "call", "schema": call}},
        max_tokens=60,
    )
    called = answer.choices[0].message.tool_calls[0].function
    assert called.name == "weather" and "Paris" in called.arguments, answer
    assert answer.choices[0].finish_reason == "tool_calls", answer
    return f"{called.name}({called.arguments})"


def embeddings():
    # The library asks for base64 and decodes it.
    answer = client.embeddings.create(model=MODEL, input=["Hello", "there"])
    assert len(answer.data) == 2 and len(answer.data[0].embedding) == 576, len(answer.data)


def unknown_model():
    try:
        client.chat.completions.create(model="nope", messages=HELLO)
    except openai.NotFoundError as error:
        assert "nope" in error.message, error.message
        return error.message
    raise AssertionError("no error")


def bad_request():
    try:
        client.chat.completions.create(model=MODEL, messages=[])
    except openai.BadRequestError as error:
        return error.message
    raise AssertionError("no error")


def cancellation():
    story = [{"role": "user", "content": "Write a very long story about a lighthouse."}]
    # This takes a minute.
    answer = client.chat.completions.create(model=MODEL, messages=story, max_tokens=4000, temperature=0, stream=True)
    next(iter(answer))
    answer.close()
    began = time.monotonic()
    client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    seconds = time.monotonic() - began
    assert seconds < 30, seconds
    return f"the next answer after {seconds:.2f} s"


for name, work in [
    ("list", listing),
    ("chat", chat),
    ("stream", stream),
    ("completion", completion),
    ("responses", responses),
    ("tools", tools),
    ("embeddings", embeddings),
    ("unknown-model", unknown_model),
    ("bad-request", bad_request),
    ("cancellation", cancellation),
]:
    check(name, work)
print("END")
