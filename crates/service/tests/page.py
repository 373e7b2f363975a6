"""The page of `promptsrc serve` in headless Chromium, clicked through over the DevTools protocol.

    python crates/service/tests/page.py PROMPTSRC [--shots DIR] [-- ARGUMENTS OF SERVE]

Needs Chromium and the package websocket-client. Exits with 0 where everything holds, 1 where something does
not, and 3 where there is no Chromium. With --shots it leaves pictures of the page: both widths, light and dark.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

IMAGES = Path(__file__).resolve().parents[3] / "examples" / "images"
ZERO_SHOT = ["--zero-shot", "--clip", "mini", "--names", "red circle,yellow star,green triangle,blue square"]
WIDTHS = {"390": (390, 844, True), "1280": (1280, 900, False)}
TOKEN = "token-of-the-click-through"


class Service:
    """`promptsrc serve` on a free port."""

    def __init__(self, promptsrc, arguments, token=None):
        environment = {k: v for k, v in os.environ.items() if k != "PROMPTSRC_TOKEN"}
        if token:
            environment["PROMPTSRC_TOKEN"] = token
        command = [promptsrc, "serve", *arguments, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        line = self.process.stdout.readline()
        self.address = line.strip().rpartition(" ")[2]
        assert self.address.startswith("http://127.0.0.1:"), line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0, "the service does not end with 0"


class Page:
    """A tab of a browser of its own."""

    def __init__(self, chromium, folder):
        command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=*",
                   "--hide-scrollbars", f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = Path(folder) / "DevToolsActivePort"
        wait(lambda: port.exists() and port.read_text().count("\n") >= 1, "Chromium starts")
        port = port.read_text().split("\n")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
        self.socket = websocket.create_connection(tabs[0]["webSocketDebuggerUrl"], timeout=30)
        self.calls = 0
        self.errors, self.addresses = [], []
        for domain in ["Page", "Runtime", "Log", "Network", "DOM"]:
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)

    def call(self, method, **parameters):
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.calls:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self.note(message)

    def note(self, message):
        """What a test must know of what happens beside its calls."""
        what, of = message.get("method"), message.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.errors.append(of["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif what == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning", "assert"):
            self.errors.append(str(of["args"]))
        elif what == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
            self.errors.append(of["entry"]["text"] + " " + of["entry"].get("url", ""))
        elif what == "Network.requestWillBeSent":
            self.addresses.append(of["request"]["url"])

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, (expression, result)
        return result["result"].get("value")

    def wait(self, expression, what):
        wait(lambda: self.value(expression), what)

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'", "the page is loaded")

    def size(self, width, height, mobile):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if mobile else 1,
                  mobile=mobile)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def click(self, selector):
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();" \
              " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        x, y = self.value(box)
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drop(self, *files):
        """Files dragged from outside onto the page."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ["dragEnter", "dragOver", "drop"]:
            self.call("Input.dispatchDragEvent", type=kind, x=150, y=150, data=data)

    def key(self, name, code, modifiers=0):
        for kind in ["keyDown", "keyUp"]:
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code,
                      modifiers=modifiers)

    def write(self, selector, text):
        """Replaces the text of a field, as typing does."""
        self.click(selector)
        self.value(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def answers(self):
        """Name of the file, and names and probabilities as shown, of each image."""
        return self.value("""[...document.querySelectorAll('#list > li')].map((row) => ({
            file: row.querySelector('.name').textContent,
            waits: row.classList.contains('waiting'),
            classes: [...row.querySelectorAll('.bars li')].map((bar) =>
                [bar.querySelector('.class').textContent, bar.querySelector('.value').textContent]),
            problem: row.querySelector('.problem')?.textContent ?? null,
        }))""")

    def settled(self, n):
        def ready():
            found = self.answers()
            return len(found) == n and not any(answer["waits"] for answer in found)
        wait(ready, f"{n} answers")
        return self.answers()

    def picture(self, path):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(picture["data"]))


def wait(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in {seconds} s not: {what}"
        time.sleep(0.05)


def predicted(promptsrc, image, names):
    """What `promptsrc predict` prints: names and probabilities as the page shows them."""
    command = [promptsrc, "predict", "--zero-shot", "--clip", "mini", "--names", ",".join(names), "--json", str(image)]
    top = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]["top"]
    show = lambda p: "< 0.1 %" if 0 < p < 0.0005 else f"{100 * p:.1f} %"
    return [[named["name"], show(named["probability"])] for named in top]


def click_through(page, promptsrc, address, folder):
    """Drops images, changes the names, and compares what is shown with `promptsrc predict`."""
    page.open(address)
    page.wait("document.querySelector('#names').value !== ''", "the names of the model are there")
    names = page.value("document.querySelector('#names').value").split("\n")
    assert names == ["red circle", "yellow star", "green triangle", "blue square"], names
    star, circle = IMAGES / "yellow_star/yellow_star_12.jpg", IMAGES / "red_circle/red_circle_01.jpg"

    page.drop(star)
    [answer] = page.settled(1)
    assert answer["file"] == star.name and answer["classes"] == predicted(promptsrc, star, names), answer

    others = ["yellow star", "teapot", "a house"]
    page.write("#names", "\n".join(others) + "\n")
    page.wait("document.querySelectorAll('.bars li').length === 3", "the answer follows the names")
    [answer] = page.settled(1)
    assert answer["classes"] == predicted(promptsrc, star, others), answer

    # Through the button, several at once, one of them no image.
    broken = Path(folder) / "broken.jpg"
    broken.write_bytes(circle.read_bytes()[:300])
    document = page.call("DOM.getDocument")["root"]["nodeId"]
    field = page.call("DOM.querySelector", nodeId=document, selector="#files")["nodeId"]
    # Chromium logs every answer that is a refusal as an error; this one is meant.
    page.call("Log.disable")
    page.call("DOM.setFileInputFiles", nodeId=field, files=[str(circle), str(broken)])
    found = {answer["file"]: answer for answer in page.settled(3)}
    page.call("Log.clear")
    page.call("Log.enable")
    page.errors.clear()
    assert found[circle.name]["classes"] == predicted(promptsrc, circle, others), found
    assert "truncated" in found["broken.jpg"]["problem"], found

    # One name is too few, and is said before anything is asked.
    page.write("#names", "yellow star")
    page.wait("!document.querySelector('#names-problem').hidden", "what is wrong with the names is said")
    page.call("Log.disable")
    page.click("#reset")
    page.wait("document.querySelectorAll('.bars li').length === 8", "the names of the model are back")
    page.write("#top-k", "2")
    page.key("Tab", 9)
    page.wait("document.querySelectorAll('.bars li').length === 4", "two names each")
    page.click("#list > li .remove")
    page.settled(2)
    page.click("#clear")
    page.wait("document.querySelectorAll('#list > li').length === 0", "everything is removed")
    page.errors.clear()
    page.call("Log.clear")
    page.call("Log.enable")

    # By keyboard alone: the button is reached and pressed.
    page.open(address)
    page.wait("document.querySelector('#names').value !== ''", "the names of the model are there")
    page.value("window.pressed = false; document.querySelector('#choose').addEventListener('click', (event) => "
               "{ window.pressed = true; event.stopImmediatePropagation(); }, true)")
    for _ in range(12):
        page.key("Tab", 9)
        if page.value("document.activeElement.id") == "choose":
            break
    assert page.value("document.activeElement.id") == "choose", "the button is not reached by Tab"
    page.call("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", windowsVirtualKeyCode=32, text=" ")
    page.call("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space", windowsVirtualKeyCode=32)
    assert page.value("window.pressed"), "Space does not press the button"


def fits(page, width):
    """Nothing is wider than the window, and what is pressed is large enough for a finger."""
    assert page.value("document.documentElement.scrollWidth") <= width, "the page is wider than the window"
    small = page.value("""[...document.querySelectorAll('button')].filter((b) => b.offsetParent !== null
        && (b.offsetHeight < 30 || b.offsetWidth < 30)).map((b) => b.textContent)""")
    assert small == [], small


def pictures(page, address, shots, arguments):
    """The page with answers, in both widths, light and dark."""
    for width, (w, h, mobile) in WIDTHS.items():
        for scheme in ["light", "dark"]:
            page.size(w, h, mobile)
            page.scheme(scheme)
            page.open(address)
            page.wait("document.querySelector('#names').value !== ''", "the names of the model are there")
            fits(page, w)
            if shots:
                page.picture(shots / f"empty-{width}-{scheme}.png")
            if page.value("!document.querySelector('#calibrated').hidden"):
                page.click("#sets")
                if page.value("!document.querySelector('#unknown-row').hidden"):
                    page.click("#unknown")
            page.drop(IMAGES / "red_circle/red_circle_01.jpg", IMAGES / "yellow_star/yellow_star_12.jpg",
                      IMAGES / "blue_square/blue_square_03.jpg")
            page.settled(3)
            page.value("window.scrollTo(0, 0)")
            time.sleep(0.3)
            fits(page, w)
            if shots:
                page.picture(shots / f"answers-{width}-{scheme}.png")


def token_is_asked_for(page, promptsrc, shots):
    with Service(promptsrc, ZERO_SHOT, TOKEN) as service:
        page.call("Log.disable")
        page.open(service.address)
        page.wait("!document.querySelector('#token-form').hidden", "the token is asked for")
        if shots:
            page.picture(shots / "token-1280-light.png")
        page.write("#token", "a-wrong-token")
        page.click("#token-form button")
        page.wait("document.querySelector('#token-hint').textContent.includes('does not take')", "a wrong token is refused")
        page.write("#token", TOKEN)
        page.click("#token-form button")
        page.wait("document.querySelector('#token-form').hidden", "the token is taken")
        page.errors.clear()
        page.call("Log.clear")
        page.call("Log.enable")
        page.drop(IMAGES / "red_circle/red_circle_01.jpg")
        [answer] = page.settled(1)
        assert len(answer["classes"]) == 4, answer
        assert not any(TOKEN in address for address in page.addresses), "the token is in an address"
        assert page.value("sessionStorage.getItem('promptsrc-token')") == TOKEN
        assert page.value("localStorage.length + document.cookie.length") == 0


def main(promptsrc, shots, arguments):
    chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    if not chromium:
        print("NOT TESTED: the page, without Chromium")
        return 3
    with tempfile.TemporaryDirectory() as folder, Page(chromium, str(Path(folder) / "profile")) as page:
        page.size(*WIDTHS["1280"])
        page.scheme("light")
        addresses = []
        with Service(promptsrc, ZERO_SHOT) as service:
            click_through(page, promptsrc, service.address, folder)
            addresses.append(service.address)
        with Service(promptsrc, arguments or ZERO_SHOT) as service:
            pictures(page, service.address, shots, arguments)
            addresses.append(service.address)
        page.size(*WIDTHS["1280"])
        page.scheme("light")
        token_is_asked_for(page, promptsrc, shots)
        assert page.errors == [], page.errors
        others = [a for a in page.addresses if not a.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "about:"))]
        assert others == [], f"requests to another host: {others}"
        print(f"the page holds: {len(page.addresses)} requests, none to another host, no error on the console")
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    serve = given[given.index("--") + 1:] if "--" in given else []
    given = given[:given.index("--")] if "--" in given else given
    folder = Path(given[given.index("--shots") + 1]) if "--shots" in given else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    sys.exit(main(given[0], folder, serve))
