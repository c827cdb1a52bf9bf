#!/usr/bin/env python3
"""names.py TAGFILE HEADER...: every public name of the headers is in the reference, and every header in its list.

The names are found here, not by doxygen: what is declared in a namespace of the library's, detail left out, at the
level of the namespace or publicly in a class. A name that doxygen did not understand is missing in its tag file.
"""
import re
import sys
import xml.etree.ElementTree

WORDS_BEFORE = {"operator", "requires", "decltype", "noexcept", "if", "static_assert", "alignas", "explicit", "sizeof"}


def is_name(name):
    """Not a member that is private by its name, a template parameter, or a word of the language's."""
    return name and not name.endswith("_") and not name[0].isupper() and name not in ("true", "false")


def without_noise(text):
    """Without comments, strings, preprocessor lines and template parameters."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'//.*|"(\\.|[^"\\])*"|\'(\\.|[^\'\\])*\'', " ", text)
    text = re.sub(r"^#.*(?:\\\n.*)*", " ", text, flags=re.M)
    result, i = [], 0
    for match in re.finditer(r"\btemplate\s*<", text):
        if match.start() < i:
            continue
        result.append(text[i : match.start()])
        i, depth = match.end(), 1
        while depth:  # no parameter of the library's compares
            depth += {"<": 1, ">": -1}.get(text[i], 0)
            i += 1
    return "".join(result) + text[i:]


def name_of(statement):
    """The name that a declaration introduces, and whether it has members."""
    statement = " ".join(statement.split())
    if match := re.match(r"(?:struct|class|enum(?: class)?) (\w+)(?: final)?(?: :[^:].*)?$", statement):
        return match[1], True
    if match := re.match(r"using (\w+) =", statement):
        return match[1], False
    if re.match(r"(using|friend|namespace|static_assert|struct|class|enum)\b", statement) or "operator" in statement or \
            statement.endswith(("= default", "= delete")):
        return None, False
    statement = re.sub(r"\brequires ?\((?:[^()]|\([^()]*\))*\)|\[\[.*?\]\]", " ", statement)
    while "<" in statement and (shorter := re.sub(r"<[^<>]*>", "", statement)) != statement:
        statement = shorter
    for match in re.finditer(r"((?:\w+::)*\w+) ?\(", statement):  # a function; not one of a class above
        if match[1] not in WORDS_BEFORE:
            return None if "::" in match[1] else match[1], False
    if match := re.search(r"(\w+) ?(?:=|$)", statement):  # a variable
        return match[1], False
    return None, False


def public_names(text):
    """(scope, name) of all declarations of a header."""
    names, scopes, statement, kinds = [], [], "", []
    classes_private = []
    for token in re.findall(r"[{};:]|[^{};:]+", without_noise(text)):
        hidden = any(k == "skip" for k in kinds) or any(classes_private)
        if token == "{":
            stripped = " ".join(statement.split())
            if match := re.match(r"(?:inline )?namespace ([\w:]+)$", stripped):
                kinds.append("skip" if "detail" in match[1] or not match[1].startswith("asio_uring") and not scopes
                             else "namespace")
                scopes.append(match[1])
                classes_private.append(False)
            else:
                name, has_members = name_of(statement)
                if is_name(name) and not hidden:
                    names.append(("::".join(scopes), name))
                is_enum = stripped.startswith("enum")
                kinds.append("class" if has_members and not is_enum else "skip")
                scopes.append(name or "?")
                classes_private.append(stripped.startswith("class"))
            statement = ""
        elif token == "}":
            kinds.pop(), scopes.pop(), classes_private.pop()
            statement = ""
        elif token == ";":
            if statement.strip() and not hidden and scopes:
                name, declared_only = name_of(statement)
                if is_name(name) and not declared_only:
                    names.append(("::".join(scopes), name))
            statement = ""
        elif token == ":" and statement.strip() in ("public", "private", "protected"):
            classes_private[-1] = statement.strip() != "public"
            statement = ""
        else:
            statement += token
    return names


def documented(tagfile):
    names = set()
    for compound in xml.etree.ElementTree.parse(tagfile).getroot():
        scope = compound.findtext("name")
        if compound.get("kind") in ("class", "struct", "namespace"):
            names.add(tuple(("::" + scope).rsplit("::", 1)))
            names.update(("::" + scope, member.findtext("name")) for member in compound.iter("member"))
    return names


if __name__ == "__main__":
    found = documented(sys.argv[1])
    missing, count = [], 0
    for header in sys.argv[2:]:
        with open(header, encoding="utf-8") as file:
            for scope, name in public_names(file.read()):
                count += 1
                if ("::" + scope, name) not in found:
                    missing.append(f"{header}: {scope}::{name} is not in the reference")
    with open("doc/reference.md", encoding="utf-8") as file:
        listed = file.read()
    missing += [f"doc/reference.md: lacks {header}" for header in sys.argv[2:]
                if not re.match(r"asio_uring/(ring|detail)/", header) and f"](../{header})" not in listed]
    print("\n".join(missing) if missing else f"names: {count} public names, each in the reference")
    sys.exit(1 if missing else 0)
