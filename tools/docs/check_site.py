#!/usr/bin/env python3
"""check_site.py FOLDER [PICTURES]: what a reader of the site would stumble over.

Every link leads to a file and an anchor that are there; those that leave the site are listed. With PICTURES every page
but lists of names is opened in chromium, at 400 and 1280 px: it must not scroll sideways, nor complain on the console. Pictures of the
pages are left in that folder.
"""
import base64
import html.parser
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

WIDTHS = (400, 1280)
# Lists of names that doxygen makes many of; one of each is enough to look at.
INDEXES = r"-members|(functions|namespacemembers|globals)_|dir_|_8md"
# Widths, how much text, and the first part that reaches beyond the window, where nothing scrolls to it.
MEASURE = """
const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
const cut = [...document.querySelectorAll('.title, .contents *')].find(
    e => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e));
return [document.documentElement.scrollWidth, innerWidth, document.body.innerText.length,
        cut ? cut.outerHTML.slice(0, 80) : ""];
"""


class Page(html.parser.HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def check_links(root, pages):
    """Complaints, and the links that leave the site."""
    complaints, external = [], set()
    for name, page in pages.items():
        for link in page.links:
            url = urllib.parse.urlparse(link)
            if url.scheme == "javascript":
                continue
            if url.scheme or url.netloc:
                external.add(link)
                continue
            target = os.path.normpath(os.path.join(os.path.dirname(name), url.path)) if url.path else name
            if not os.path.isfile(os.path.join(root, target)):
                complaints.append(f"{name}: {link}: there is no such file")
            elif url.fragment and target in pages and urllib.parse.unquote(url.fragment) not in pages[target].anchors:
                complaints.append(f"{name}: {link}: there is no such anchor")
    return complaints, external


class Browser:
    """chromium without a window, by the WebDriver protocol of chromedriver."""

    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                self.call("GET", "/status")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.url += "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, json.dumps(body or {}).encode() if method == "POST" else None,
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["value"]

    def run(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def script(self, text):
        return self.call("POST", "/execute/sync", {"script": text, "args": []})

    def close(self):
        self.driver.terminate()
        self.driver.wait()


def look(browser, root, name, pictures):
    """What is wrong with a page at either width."""
    complaints = []
    for width in WIDTHS:
        browser.run("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        if width == WIDTHS[0]:
            browser.call("POST", "/url", {"url": "file://" + os.path.join(os.path.abspath(root), name)})
        seen = browser.script(MEASURE)
        if seen[1] != width:
            complaints.append(f"{name}: the browser has {seen[1]} px instead of {width}")
        if seen[0] > width:
            complaints.append(f"{name}: {seen[0]} px wide in a window of {width}")
        if seen[3]:
            complaints.append(f"{name}: at {width} px this is cut off: {seen[3]}")
        if seen[2] < 100:
            complaints.append(f"{name}: is empty at {width} px")
        picture = browser.call("GET", "/screenshot")
        with open(os.path.join(pictures, f"{name.removesuffix('.html')}-{width}.png"), "wb") as file:
            file.write(base64.b64decode(picture))
    complaints += [f"{name}: the console says: {entry['message']}"
                   for entry in browser.call("POST", "/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]
    return complaints


def main(root, pictures=None):
    names = sorted(name for name in os.listdir(root) if name.endswith(".html"))
    pages = {name: Page(os.path.join(root, name)) for name in names}
    complaints, external = check_links(root, pages)
    print(f"links: {sum(len(p.links) for p in pages.values())} of {len(pages)} pages")
    for link in sorted(external):
        print(f"  leaves the site, not followed: {link}")
    if pictures:
        os.makedirs(pictures, exist_ok=True)
        looked_at = [name for name in names if not re.search(INDEXES, name)]
        browser = Browser()
        try:
            for name in looked_at:
                complaints += look(browser, root, name, pictures)
        finally:
            browser.close()
        print(f"browser: {len(looked_at)} pages at {' and '.join(map(str, WIDTHS))} px; pictures in {pictures}")
    print("\n".join(complaints or ["no complaints"]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
