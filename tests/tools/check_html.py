#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is it well-formed HTML that needs nothing else? check_html.py FILE

Every element is closed in order; there is no script, no link, no address of anything outside, and
no control character.
"""
import html.parser
import re
import sys

VOID = {"meta", "br", "hr"}
FORBIDDEN = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "role", "aria-label",
              "viewbox", "x", "y", "x1", "x2", "y1", "y2", "d", "width", "height", "text-anchor"}


class Checker(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag in FORBIDDEN:
            sys.exit(f"{self.getpos()}: <{tag}>")
        for name, _ in attrs:
            if name not in ATTRIBUTES:
                sys.exit(f"{self.getpos()}: <{tag} {name}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            sys.exit(f"{self.getpos()}: </{tag}>")


with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
checker = Checker()
checker.feed(text)
checker.close()
if checker.open:
    sys.exit(f"not closed: {checker.open}")
if re.search(r"[\0-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text):
    sys.exit("a control character")
if re.search(r"(https?:|url\(|@import|//)", text.replace("</", "")):
    sys.exit("an address of something outside")
