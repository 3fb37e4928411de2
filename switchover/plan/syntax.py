"""YAML's own syntax errors in plain words, with what to do about each."""

from __future__ import annotations

from ruamel.yaml.error import MarkedYAMLError

#: A part of the parser's message, what it means, and what to do; the first match counts.
_WORDS = (
    ("cannot start any token", "a tab or a special character begins a value here",
     "indent with spaces, and put text that begins with @ ` or % in quotes"),
    ("mapping values are not allowed", "there is a second ': ' in this line, or the indent is off",
     "put text with ': ' in quotes, and align keys of one level"),
    ("could not find expected ':'", "this line has no ': ' after its key",
     "write key: value, and align keys of one level"),
    ("expected <block end>", "the indentation does not fit the lines above",
     "align keys of one level and items of one list"),
    ("block sequence entries are not allowed", "a list item can't begin here",
     "put each '- ' on a line of its own"),
    ("expected ',' or ']'", "a list in [ ] is not closed, or lacks a comma",
     "separate items by commas and close it with ]"),
    ("expected ',' or '}'", "a mapping in { } is not closed, or lacks a comma",
     "separate keys by commas and close it with }"),
    ("expected the node content", "a value is missing or not closed here",
     "close every [ and {, and put text that begins with one in quotes"),
    ("unexpected end of stream", "a quoted text is not closed", "close it with the same quote"),
    ("unexpected document separator", "a quoted text is not closed",
     "close it with the same quote"),
    ("unknown escape character", "a backslash in double quotes begins no known escape",
     "write \\\\ for a backslash, or use single quotes"),
    ("found undefined tag handle", "a value that begins with ! is a tag, and this one is unknown",
     "put text that begins with ! in quotes"),
    ("expected alphabetic or numeric", "a value that begins with * or & needs a name after it",
     "put text that begins with * or & in quotes"),
    ("found duplicate anchor", "this anchor is defined twice", "give each & a name of its own"),
    ("expected chomping or indentation", "text follows | or > on the same line",
     "begin the text on the next line"),
)  # fmt: skip


def described(error: MarkedYAMLError, text: str) -> tuple[int, int, str, str]:
    """Line and column (from 1), message and advice for a syntax error in ``text``."""
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or "")
    if "unexpected end of stream" in problem and error.context_mark is not None:
        mark = error.context_mark  # the place where the quote opens, not the file's end
    opening = error.context_mark
    if "expected ',' or" in problem and mark and opening and opening.line < mark.line:
        mark = opening  # what was not closed, rather than the line that showed it
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    tab = _tab(text, line)
    if tab:
        return line, tab, "a tab indents this line", "indent with spaces; YAML allows no tabs there"
    for part, message, advice in _WORDS:
        if part in problem:
            return line, column, message, advice
    return line, column, f"this is not YAML: {problem}", "compare with examples/mood/plan.yaml"


def _tab(text: str, line: int) -> int:
    """The column of a tab in the indentation of ``line``, or 0."""
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return 0
    content = lines[line - 1]
    indent = content[: len(content) - len(content.lstrip())]
    return indent.find("\t") + 1
