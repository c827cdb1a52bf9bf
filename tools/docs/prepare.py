#!/usr/bin/env python3
"""prepare.py FOLDER FILE...: writes headers and pages there, as doxygen is to read them.

Headers say in prose what doxygen wants as commands; pages have the links of Markdown as a repository's browser
shows them.
"""
import os
import re
import sys

# What the headers leave without a comment, for it is the same everywhere.
CONVENTIONAL = [
    (r"(\w+)\(\1&& other\) noexcept", "Moves; what was moved from may be assigned to or destroyed."),
    (r"(\w+)& operator=\(\1&& other\)", "Moves; what was moved from may be assigned to or destroyed."),
    (r"using executor_type =", "The type of its executor."),
    (r"using (protocol|endpoint|socket|acceptor)_type =", "The type of the {1}."),
    (r"using value_type =", "What it has elements of."),
    (r"using (const_iterator|reference|pointer|difference_type|iterator_category|iterator_concept) =",
     "As iterators and ranges have it."),
    (r".*\boperator(\*|\+\+|==)\((int|const iterator& other)?\)", "As iterators have it."),
    (r"using (next_layer|lowest_layer)_type =", "As Asio's streams have it."),
    (r".*\b(next_layer|lowest_layer)\(\)", "As Asio's streams have it."),
    (r"using other =", "The type with that executor."),
    (r"using socket =", "The socket on io_uring: Asio's class with another executor type."),
    (r"using acceptor =", "The acceptor on io_uring: Asio's class with another executor type."),
    (r"using resolver =", "Asio's resolver, with the executor type of the socket."),
    (r".*\bget_executor\(\) ", "Its executor: where a handler is called that names none."),
    (r".*\b(begin|end)\(\) const", "Of the range that it is."),
    (r".*\boperator\[\]\(std::size_t i\) const", "The element `i`, less than size()."),
    (r".*\bat\(std::size_t i\) const", "The element `i`. @throws std::out_of_range"),
    (r"std::size_t size\(\) const", "How many elements it has."),
    (r"bool empty\(\) const", "Whether it has none."),
]
SECTIONS = "Cancellation|Errors|Thread safety|Forks"


def header(text):
    # The first line is what the file is.
    text = re.sub(r"\A// ([\w/.]+): (.*(?:\n// .*)*)\n//\n",
                  lambda m: "/** @file\n@brief " + m[2][0].upper() + m[2][1:].replace("\n// ", "\n") + "\n*/\n", text)
    # Asio's headers are not read. Aliases for the same reason; of templates for ours alone, what is "private".
    text = re.sub(r"^#include ASIO_URING_ASIO\(.*\)$", "", text, flags=re.M)
    text = re.sub(r"^( *)// private:$", r"\1private:", text, flags=re.M)
    # What is private, and a macro, for doxygen makes links to lists of them that it leaves out.
    text = re.sub(r"^( *)private:$(.*?)^(\1(?:\};|public:))", r"\1private: /** @cond */\2/** @endcond */ \3", text,
                  flags=re.M | re.S)
    text = re.sub(r"^#define ASIO_URING_AS_DEFAULT$", "", text, flags=re.M)
    # Specialisations of Asio's templates are no names of ours.
    text, specialisations = re.subn(r"^} // namespace asio_uring\n(?=\n(/// .*\n)*template)",
                                    "} // namespace asio_uring\n/** @cond */", text, flags=re.M)
    if specialisations:
        text += "/** @endcond */\n"
    # What all functions of a header have in common.
    text = re.sub(r"^// (All functions here|Functions of Asio's)\b(.*(?:\n//.*)*)",
                  lambda m: "/** @file\n" + m[1] + m[2].replace("\n//", "\n") + " */", text, flags=re.M)
    lines = text.split("\n")
    for i, line in enumerate(lines):
        code = line.strip()
        if re.match(r"(/\*\*|\*|///) ?", code):
            line = re.sub(rf"(?:^|(?<=[\s.]))({SECTIONS}): ", lambda m: f"@{m[1].split()[0].lower()} ", line)
            line = re.sub(r"(?:(?<=\* )|(?<=\. ))Since\b(?= Linux|$)", "@kernel Since", line)
            lines[i] = line
        elif i and not re.match(r".*(\*/|///.*)$", lines[i - 1]) and "///<" not in line:
            for pattern, sentence in CONVENTIONAL:
                if m := re.match(pattern, code):
                    sentence = sentence.replace("{1}", m[1] if m.groups() else "")
                    lines[i] = f"/** {sentence} */ {line}"
                    break
    return "\n".join(lines)


def slug(heading):
    """The anchor that repositories' browsers give to a heading."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def label(path):
    """doxygen's name of a page."""
    path = os.path.relpath(os.path.normpath(path))
    if path == "README.md":
        return "mainpage"
    return re.sub(r"\W", "_", path.removesuffix(".md").removeprefix("doc/")).lower()


def link(page, match):
    text, target = match[1], match[2]
    file, _, anchor = target.partition("#")
    if re.match(r"\w+:", target):
        return match[0]
    path = os.path.normpath(os.path.join(os.path.dirname(page), file)) if file else page
    if re.match(r"asio_uring/.*\.hpp$", path):
        return f'@ref {path} "{text.strip("`")}"'
    if not path.endswith(".md"):
        return f"<em>{text}</em>"  # a file of the repository's
    name = label(path) + ("-" + anchor if anchor else "")
    return f'@ref {"index" if name == "mainpage" else name} "{text}"'


def page(path, text):
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S)
    result, contents, fenced = [], [], False
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
            line = re.sub(r"^```(\w+).*", r"```{.\1}", line) if fenced else line
        elif not fenced:
            if line.startswith("# ") and text.count("\n## ") > 4 and label(path) != "mainpage":
                contents = ["", "[TOC]", ""]
            if m := re.match(r"(#+) (.*)$", line):
                name = label(path) if m[1] == "#" else f"{label(path)}-{slug(m[2])}"
                line = f"{m[1]} {m[2]}" + ("" if name == "mainpage" else f" {{#{name}}}")
            line = re.sub(r"!\[([^\]]*)\]\(([^)]*/)?([^)/]+)\)", r"![\1](\3)", line)
            line = re.sub(r"(?<!!)\[([^\]]*)\]\(([^) ]+)\)", lambda m: link(path, m), line)
        result += [line, *contents]
        contents = []
    return "\n".join(result)


if __name__ == "__main__":
    out = sys.argv[1]
    for name in sys.argv[2:]:
        with open(name, encoding="utf-8") as file:
            content = file.read()
        prepared = os.path.join(out, name)
        os.makedirs(os.path.dirname(prepared), exist_ok=True)
        with open(prepared, "w", encoding="utf-8") as file:
            file.write(page(name, content) if name.endswith(".md") else header(content))
