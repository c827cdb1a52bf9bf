#!/usr/bin/env python3
"""The code blocks of README.md and doc/ as translation units.

    blocks.py OUT.cpp WHICH    writes the blocks that are compiled with as_default.hpp (WHICH: as_default) or without
                               it (stock); fails where a quoted file says something else
    blocks.py --alone FOLDER   writes each block of README.md into a file of its own, for it has to stand alone

What a block is, the words behind its language say:

    ```cpp                   statements: the body of a coroutine
    ```cpp declarations      at the level of a namespace
    ```cpp program           with a main()
    ```cpp program run       which also has to end with 0, in an empty directory, within 30 s
    ```cpp ... as_default    compiled with as_default.hpp
    ```cpp not compiled      an excerpt or a mistake; says so to whoever reads the source
    ```sh try                run as printed: tools/try_pages.sh
    ```diff FILE             any language: lines that have to be in that file, one after the other

Statements see what the page's comment <!-- prelude ... --> declares; it is emitted once, ahead of the blocks. All
blocks of a page are in a namespace of its own, their includes at the top.
"""
import glob
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.S | re.M)
KINDS = ("statements", "declarations", "program")


class Block:
    def __init__(self, page, line, language, words, text):
        self.page, self.line, self.language, self.text = page, line, language, text
        self.where = f"{page}:{line}"
        self.files = [word for word in words if "/" in word or "." in word]
        self.kind = next((kind for kind in KINDS if kind in words), "statements")
        self.which = "as_default" if "as_default" in words else "stock"
        self.runs = "run" in words
        self.compiled = language == "cpp" and not self.files and words[:2] != ["not", "compiled"]
        unknown = set(words) - set(self.files) - set(KINDS) - {"as_default", "run", "not", "compiled", "try"}
        if unknown:
            sys.exit(f"{self.where}: a block is not called {' '.join(sorted(unknown))}; see blocks.py")


def blocks_of(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        text = file.read()
    preludes = [(text.count("\n", 0, m.start(1)) + 1, m[1]) for m in re.finditer(r"<!-- prelude\n(.*?)-->", text, re.S)]
    blocks = [Block(page, text.count("\n", 0, m.start(4)) + 1, m[2], m[3].split(), re.sub(rf"^{m[1]}", "", m[4], flags=re.M))
              for m in FENCE.finditer(text)]
    return preludes, blocks


def check_quote(block):
    """What a block quotes is in the file, as it stands there."""
    path = os.path.join(ROOT, block.files[0])
    if not os.path.isfile(path):
        return f"{block.where}: there is no {block.files[0]}"
    with open(path, encoding="utf-8") as file:
        content = file.read()
    # A diff is quoted without its first two lines, which name files.
    return None if block.text in content else f"{block.where}: {block.files[0]} says something else"


def without_includes(text, includes):
    """The text with empty lines for its includes, which are added to those."""
    lines = []
    for line in text.split("\n"):
        if line.startswith("#include"):
            includes.setdefault(line.strip())
            line = ""
        lines.append(line)
    return "\n".join(lines)


def emit(block, number, includes):
    body = without_includes(block.text, includes)
    line = f'#line {block.line} "{block.page}"\n'
    name = f"block_{number}"
    if block.kind == "statements":
        return f"inline boost::asio::awaitable<void> {name}()\n{{\n{line}{body}\nco_return;\n}}\n"
    if block.kind == "program":
        body = re.sub(r"}\s*\Z", "return 0; }\n", body)  # it is not the program's main(), where that goes without saying
    return f"namespace {name} {{\n{line}{body}}}\n"


MAIN = """
int run(const char* name, int (*program)())
{
  std::cout << name << std::endl;
  char folder[] = "/tmp/documentation-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(chdir(folder) == 0 ? (program(), std::cout.flush(), 0) : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  std::filesystem::remove_all(folder);
  if (status != 0) std::cerr << name << ": ended with status " << status << std::endl;
  return status != 0;
}

int main()
{
  int failed = 0;
PROGRAMS  std::cout << "programs that failed: " << failed << std::endl;
  return failed != 0;
}
"""


def write(out, which, pages):
    includes = {line: None for line in (
        "#include <boost/asio.hpp>", "#include <filesystem>", "#include <iostream>", "#include <sys/wait.h>",
        "#include <unistd.h>")}
    bodies, programs, complaints, count = [], [], [], 0
    for page in pages:
        preludes, blocks = blocks_of(page)
        complaints += filter(None, (check_quote(block) for block in blocks if block.files))
        mine = [block for block in blocks if block.compiled and block.which == which]
        if not mine:
            continue
        scope = "page_" + re.sub(r"\W", "_", page)
        body = "".join(f'#line {line} "{page}"\n{without_includes(text, includes)}\n' for line, text in preludes)
        for number, block in enumerate(mine):
            count += 1
            body += emit(block, number, includes)
            if block.runs:
                programs.append(f'  failed += run("{block.where}", [] {{ return {scope}::block_{number}::main(); }});\n')
        bodies.append(f"namespace {scope} {{\n{body}}}\n")
    if complaints:
        sys.exit("\n".join(complaints))
    text = "\n".join(includes) + "\n\n" + "\n".join(bodies) + '#line 1 "blocks.py"\n' + MAIN.replace("PROGRAMS", "".join(programs))
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{out}: {count} blocks, {len(programs)} of them to run")


if __name__ == "__main__":
    everything = ["README.md"] + sorted(os.path.relpath(p, ROOT) for p in glob.glob(ROOT + "/doc/**/*.md", recursive=True))
    if sys.argv[1] == "--alone":
        for index, each in enumerate(b for b in blocks_of("README.md")[1] if b.compiled):
            with open(f"{sys.argv[2]}/readme_{index}.{each.which}.cpp", "w", encoding="utf-8") as file:
                file.write(f'#line {each.line} "README.md"\n{each.text}')
    else:
        write(sys.argv[1], sys.argv[2], everything)
