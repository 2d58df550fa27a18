"""Ollama's own Python library against the gateway that HERDER names. A line for each check, PASS or FAIL, then END."""

import os
import time

import ollama

MODEL = "smollm2:135m"
client = ollama.Client(host=os.environ["HERDER"], timeout=60)


def check(name, work):
    try:
        print(f"PASS {name}: {work() or ''}", flush=True)
    except Exception as error:  # Whatever it is, the other checks still run.
        print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)


def listing():
    names = [model.model for model in client.list().models]
    assert MODEL in names, names
    return ", ".join(names)


def show():
    shown = client.show(MODEL)
    assert shown.details.family == "llama", shown.details
    return ", ".join(shown.capabilities)


def loaded():
    client.generate(MODEL)
    began = time.monotonic()
    while True:
        names = [model.model for model in client.ps().models]
        if MODEL in names:
            return
        assert time.monotonic() - began < 10, names


def generate():
    answer = client.generate(MODEL, "Count to ten.", options={"num_predict": 4})
    assert answer.done and answer.eval_count <= 4, answer
    return repr(answer.response)


def chat():
    answer = client.chat(MODEL, [{"role": "user", "content": "Hello"}], options={"num_predict": 4})
    assert answer.done and answer.message.role == "assistant", answer
    return repr(answer.message.content)


def stream():
    parts = list(
        client.chat(MODEL, [{"role": "user", "content": "Hello"}], stream=True, options={"num_predict": 8})
    )
    assert parts[-1].done and not any(part.done for part in parts[:-1]), parts
    return f"{len(parts)} parts"


def tools():
    weather = {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the weather in a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    # A model as small as this one calls a tool only where it can say nothing else.
    call = {
        "type": "object",
        "properties": {
            "name": {"const": "weather"},
            "parameters": {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]},
        },
        "required": ["name", "parameters"],
    }
    answer = client.chat(
        "smollm2:tools",
        [{"role": "user", "content": "How is the weather in Paris?"}],
        tools=[weather],
        format=call,
        options={"num_predict": 60},
    )
    called = answer.message.tool_calls[0].function
    assert called.name == "weather" and called.arguments["city"] == "Paris", answer
    return f"{called.name}({dict(called.arguments)})"


def embeddings():
    answer = client.embed(MODEL, ["Hello", "there"])
    assert len(answer.embeddings) == 2 and len(answer.embeddings[0]) == 576, len(answer.embeddings)
    older = client.embeddings(MODEL, "Hello")
    assert len(older.embedding) == 576, len(older.embedding)


def unknown_model():
    try:
        client.chat("nope", [{"role": "user", "content": "Hello"}])
    except ollama.ResponseError as error:
        assert error.status_code == 404 and "nope" in error.error, (error.status_code, error.error)
        return error.error
    raise AssertionError("no error")


def tools_without():
    try:
        client.chat(MODEL, [{"role": "user", "content": "Hello"}], tools=[{"type": "function", "function": {"name": "f"}}])
    except ollama.ResponseError as error:
        assert error.status_code == 400 and "does not support tools" in error.error, error
        return error.error
    raise AssertionError("no error")


def cancellation():
    # This takes a minute.
    options = {"num_predict": 4000, "temperature": 0}
    for part in client.generate(MODEL, "Write a very long story about a lighthouse.", stream=True, options=options):
        assert not part.done
        break
    began = time.monotonic()
    client.generate(MODEL, "1", raw=True, options={"num_predict": 1})
    seconds = time.monotonic() - began
    assert seconds < 30, seconds
    return f"the next answer after {seconds:.2f} s"


for name, work in [
    ("list", listing),
    ("show", show),
    ("ps", loaded),
    ("generate", generate),
    ("chat", chat),
    ("stream", stream),
    ("tools", tools),
    ("tools-without", tools_without),
    ("embeddings", embeddings),
    ("unknown-model", unknown_model),
    ("cancellation", cancellation),
]:
    check(name, work)
print("END")
