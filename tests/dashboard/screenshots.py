#!/usr/bin/env python3
"""Opens the dashboard in headless Chromium: checks what only a browser can tell, and takes pictures to look at.

    cargo build
    python3 -m venv target/dashboard && target/dashboard/bin/pip install playwright
    target/dashboard/bin/python tests/dashboard/screenshots.py target/dashboard/pictures

The browser is the system's (`--browser`, /usr/bin/chromium); hosts are emulated, everything listens on loopback and is
ended here. `--parts live/assets/dashboard` takes the page from the folder, not from the program: for editing it.
`--scene NAME` runs one scene. A check that fails ends it with status 1.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from playwright.sync_api import sync_playwright

EVIL = "<img src=x onerror=alert(1)>"
WIDE = {"width": 1440, "height": 1000}
PHONE = {"width": 375, "height": 812}
HOSTS = {
    "tower": ("rtx-4090", 24, ["llama3.2:3b", "qwen3:8b", "gemma3:4b"]),
    "old-tower": ("rtx-3090", 24, ["llama3.2:3b", "llama3.1:8b"]),
    "studio": ("m2-ultra", 192, ["gemma3:12b", "llama3.1:8b", "gemma3:4b"]),
}
EXPERIMENT = """
shadows = ["least-tokens", "random"]
[control.flags.canary]
balancer = "model-affinity"
share_permille = 200
unit = "request"
[control.flags.canary.guard]
metric = "ttft"
worse_percent_max = 20
answers_min = 50
[control.experiments.affinity]
unit = "request"
arms = [
    { name = "by-model", balancer = "model-affinity", share_permille = 333 },
    { name = "by-prefix", balancer = "prefix-affinity", share_permille = 333 },
]
"""


class Process:
    """A program of ours, ended with this script."""

    def __init__(self, stack, *arguments):
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stack.callback(self.end)

    def find(self, pattern):
        """What a line of its output says."""
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found[1]
        raise SystemExit(f"{self.process.args}: no line has {pattern}")

    def end(self, sign=signal.SIGKILL):
        self.process.send_signal(sign)
        self.process.wait()


def herder_key(options, *arguments):
    """A new key, and its hash."""
    made = subprocess.run([options.herder, "key", "new", *arguments], capture_output=True, text=True, check=True).stdout
    return re.search(r"hk_\S+", made)[0], re.search(r"blake3:\w+", made)[0]


def send(address, path, body, key=""):
    """Sends a request; what comes of it is for the dashboard to tell."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(address + path, json.dumps(body).encode(), headers)
    with contextlib.suppress(OSError):
        urllib.request.urlopen(request, timeout=60).read()


class Fleet:
    """Emulated hosts and a gateway in front of them."""

    def __init__(self, stack, herder, control="", admin="", slots=4, speed=1):
        self.hosts = {}
        text = "[serve]\nlisten = \"127.0.0.1:0\"\npoll_millis = 300\ndrain_seconds = 1\n"
        text += f"[serve.admin]\nlisten = \"127.0.0.1:0\"\n{admin}\n"
        for name, (gpu, memory, models) in HOSTS.items():
            given = [word for model in models for word in ("--model", model)]
            host = Process(stack, herder, "host", "--profile", gpu, "--listen", "127.0.0.1:0", "--num-parallel", str(slots), "--context-length", "8192", "--speed", str(speed), *given)
            url = host.find(r"listens on (http://\S+)")
            text += f'[[serve.hosts]]\nname = "{name}"\nurl = "{url}"\nslots = {slots}\ngpu = "{gpu}"\nmemory_gib = {memory}\n'
            self.hosts[name] = host
        text += f"[control]\nbalancer = \"power-of-two\"\nqueue_requests_max = 400\n{control}\n"
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "gateway.toml").write_text(text)
        self.gateway = Process(stack, herder, "serve", "--config", folder / "gateway.toml")
        self.address = self.gateway.find(r"listens on (http://\S+)")
        self.dashboard = self.gateway.find(r"dashboard: (http://\S+)")


class Load:
    """Chats at a rate, from a few threads, until its end."""

    def __init__(self, stack, address, rate, tokens=120):
        self.ended = threading.Event()
        models = ["llama3.2:3b", "llama3.1:8b", "gemma3:4b", "qwen3:8b"]
        pool = concurrent.futures.ThreadPoolExecutor(64)

        def run():
            number = 0
            while not self.ended.wait(1 / rate):
                body = {"model": models[number % 4], "messages": [{"role": "user", "content": f"{number} " + "word " * 200}], "options": {"num_predict": tokens}}
                try:
                    pool.submit(send, address, "/api/chat", body)
                except RuntimeError:  # the scene has just ended
                    return
                number += 1

        threading.Thread(target=run, daemon=True).start()
        stack.callback(lambda: pool.shutdown(wait=False, cancel_futures=True))
        stack.callback(self.ended.set)


class Look:
    """A page, what went wrong on it, and pictures of it."""

    def __init__(self, stack, browser, options, address, viewport=WIDE, dark=False, **more):
        self.options = options
        context = browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light", device_scale_factor=1, **more)
        stack.callback(context.close)
        self.page = context.new_page()
        self.wrong = []
        self.page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.wrong.append("a script ran"), dialog.dismiss()))
        if options.parts:
            self.page.route("**/*", self.from_folder)
        self.page.goto(address)

    def from_folder(self, route):
        path = route.request.url.split("/", 3)[3] or "index.html"
        file = self.options.parts / path.removeprefix("dashboard/")
        if "/" in path.removeprefix("dashboard/") or not file.is_file():
            return route.fallback()
        return route.fulfill(response=route.fetch(), body=file.read_bytes())

    def ready(self):
        self.page.locator("#hosts .host").first.wait_for()

    def picture(self, name, whole=True):
        self.page.screenshot(path=self.options.pictures / f"{name}.png", full_page=whole)

    def check(self, what, holds):
        print(f"  {'ok ' if holds else 'NOT'} {what}")
        if not holds:
            self.options.failed.append(what)

    def end(self):
        self.check(f"nothing went wrong on the page {self.wrong or ''}", not self.wrong)
        wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        self.check("the page is no wider than the window", wide <= 0)


SHIFT = "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) shift += entry.value; }).observe({ type: 'layout-shift' });"


def demo(stack, options, rate):
    process = Process(stack, options.herder, "serve", "--demo", "--demo-load", str(rate))
    return process.find(r"dashboard +(http://\S+)")


def idle(stack, browser, options):
    look = Look(stack, browser, options, demo(stack, options, 0))
    look.ready()
    look.page.wait_for_timeout(3_000)
    look.picture("idle")
    look.end()


def load(stack, browser, options):
    address = demo(stack, options, 4)
    time.sleep(options.warm)
    look = Look(stack, browser, options, address)
    look.ready()
    look.page.wait_for_timeout(8_000)
    look.picture("load")
    look.page.evaluate(SHIFT)
    look.page.wait_for_timeout(6_000)
    shift = look.page.evaluate("window.shift")
    look.check(f"nothing moves while it updates (layout shift {shift:.4f})", shift < 0.01)
    plot = look.page.locator(".plot").nth(2)
    plot.hover()
    look.check("a chart tells the second at the pointer", "ago" in look.page.locator(".when").nth(2).inner_text())
    look.picture("load-hover", whole=False)
    look.page.mouse.move(0, 0)
    look.page.locator("#filter").fill("old-tower finished")
    rows = look.page.locator("#decisions tbody tr")
    look.check("the filter keeps what matches", rows.count() > 0 and all("old-tower" in text for text in rows.all_inner_texts()))
    rows.first.locator("button").click()
    look.page.locator("#detail[open]").wait_for()
    look.picture("detail", whole=False)
    look.page.keyboard.press("Escape")
    look.end()
    for name, viewport, dark in [("phone", PHONE, False), ("phone-dark", PHONE, True), ("dark", WIDE, True)]:
        other = Look(stack, browser, options, address, viewport, dark, has_touch=viewport is PHONE)
        other.ready()
        other.page.wait_for_timeout(2_500)
        other.picture(name)
        other.end()


def down(stack, browser, options):
    fleet = Fleet(stack, options.herder)
    Load(stack, fleet.address, 6)
    look = Look(stack, browser, options, fleet.dashboard)
    look.ready()
    look.page.wait_for_timeout(8_000)
    fleet.hosts["old-tower"].end()
    look.page.locator(".host.away").wait_for()
    card = look.page.locator("#hosts .host", has_text="studio")
    card.get_by_role("button").focus()
    look.page.keyboard.press("Enter")
    look.page.locator("#confirm[open]").wait_for()
    look.picture("confirm", whole=False)
    look.page.keyboard.press("Tab")
    look.page.keyboard.press("Enter")
    look.page.locator("#message").wait_for()
    card.get_by_text("drained").wait_for()
    look.check("the keyboard drains a host", "studio gets no new requests" in look.page.locator("#message").inner_text())
    look.page.wait_for_timeout(3_000)
    look.picture("down")
    look.end()


def experiment(stack, browser, options):
    fleet = Fleet(stack, options.herder, EXPERIMENT, speed=4)
    Load(stack, fleet.address, 12, tokens=60)
    look = Look(stack, browser, options, fleet.dashboard)
    look.ready()
    look.page.wait_for_timeout(15_000)
    look.picture("experiment")
    look.page.locator("#choose-balancer").select_option("least-tokens")
    look.page.locator("#strategies article", has_text="Balancer").get_by_role("button").click()
    look.page.locator("#confirm-yes").click()
    look.page.locator("#strategies b", has_text="least-tokens").wait_for()
    look.check("a balancer is switched", True)
    look.page.locator("#rollback:enabled").click()
    look.page.locator("#confirm-yes").click()
    look.page.locator("#strategies b", has_text="power-of-two").wait_for()
    look.check("and rolled back", True)
    look.page.locator("#freeze").click()
    look.page.locator("#confirm-yes").click()
    look.page.locator("#gateway", has_text="frozen").wait_for()
    look.check("control is frozen", True)
    look.end()


def keys(stack, browser, options):
    made = {}
    client = herder_key(options, "client")
    admin = f'[[serve.keys]]\nname = "client"\ntenant = "{EVIL}"\nhash = "{client[1]}"\n'
    for role in ("view", "operate"):
        made[role], digest = herder_key(options, f"the-{role}", "--role", role)
        admin += f'[[serve.admin.keys]]\nname = "the-{role}"\nrole = "{role}"\nhash = "{digest}"\n'
    fleet = Fleet(stack, options.herder, admin=admin)
    send(fleet.address, "/api/generate", {"model": "nothing:1b", "prompt": "x"}, client[0])
    look = Look(stack, browser, options, fleet.dashboard)
    look.page.locator("#key[open]").wait_for()
    look.picture("key", whole=False)
    look.page.locator("#key-text").fill("hk_wrong")
    look.page.keyboard.press("Enter")
    look.page.get_by_text("not known here").wait_for()
    look.page.locator("#key-text").fill(made["view"])
    look.page.keyboard.press("Enter")
    look.ready()
    drain = look.page.locator("#hosts .host button").first
    look.check("a key to look sees buttons that say why not", drain.is_disabled() and "role view" in drain.get_attribute("title"))
    look.page.get_by_text(EVIL).first.wait_for()
    look.check("a name that is markup is text", look.page.locator("img").count() == 0)
    look.picture("view-role")
    look.wrong = [text for text in look.wrong if "401" not in text]
    look.end()
    fleet.gateway.end()
    look.page.get_by_text("No data since").wait_for()
    look.check("a stream that breaks is told", drain.is_disabled())
    look.picture("broken", whole=False)


def reconnect(stack, browser, options):
    fleet = Fleet(stack, options.herder)
    Load(stack, fleet.address, 4)
    look = Look(stack, browser, options, fleet.dashboard)
    look.ready()
    # A stopped process holds its connections and says nothing: only the watch on the stream notices.
    fleet.gateway.process.send_signal(signal.SIGSTOP)
    look.page.get_by_text("No data since").wait_for()
    fleet.gateway.process.send_signal(signal.SIGCONT)
    look.page.locator("#banner").wait_for(state="hidden")
    look.check("a stream that hung comes back", True)
    look.page.wait_for_timeout(2_000)
    look.check("and buttons with it", look.page.locator("#freeze").is_enabled())


SCENES = [idle, load, down, experiment, keys, reconnect]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("--herder", default="target/debug/herder")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--parts", type=pathlib.Path)
    parser.add_argument("--warm", type=float, default=60, help="seconds of load before the page is opened")
    parser.add_argument("--scene", choices=[scene.__name__ for scene in SCENES], action="append")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    options.failed = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        for scene in SCENES:
            if options.scene and scene.__name__ not in options.scene:
                continue
            print(scene.__name__)
            with contextlib.ExitStack() as stack:
                scene(stack, browser, options)
        browser.close()
    sys.exit(1 if options.failed else 0)


main()
