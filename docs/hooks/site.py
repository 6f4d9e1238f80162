"""What mkdocs is told: generated pages, pages that stand elsewhere in the repository, links that hold in both places.

Pages are written so that their links hold where they lie (on GitHub). Here each link is turned to its site place;
one to a file that is not there is a warning, which ``--strict`` makes an error.
"""

import argparse
import importlib
import logging
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

from watermark.catalogue import GROUPS, KINDS, entries
from watermark.cli import HYDRA_VERBS, VERBS
from watermark.config import config_file

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = "results/published"
ELSEWHERE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that are pages too, and where."""
LINK = re.compile(r"(?<!`)(!?\[[^\]\n]*\])\(([^)\s]+?)(#[^)\s]*)?\)")
CARDS = "watermark/schemes/weights"

log = logging.getLogger("mkdocs.plugins.site")


def on_files(files, config):
    """Add what is generated and what stands elsewhere."""
    for source, target in ELSEWHERE.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    for path in sorted((ROOT / PUBLISHED).rglob("*")):
        if path.is_file() and path.suffix in {".md", ".png", ".svg", ".webp", ".py", ".json", ".jsonl"}:
            name = path.relative_to(ROOT / PUBLISHED).as_posix()
            files.append(File.generated(config, f"results/{name}", abs_src_path=str(path)))
    for card in sorted((ROOT / CARDS).glob("*.md")):
        files.append(File.generated(config, f"cards/{card.name}", abs_src_path=str(card)))
    for target, make in GENERATED.items():
        files.append(File.generated(config, target, content=make()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn every relative link to where its target is on the site."""
    source = _repository_path(page.file.src_uri)
    markdown = _titled(markdown, page.file.src_uri)
    if re.fullmatch(r"results/[^/]+/(?!README)[^/]+\.md", page.file.src_uri):
        page.meta["hide"] = ["toc"]  # its place is the table's
    return LINK.sub(lambda link: _turned(link, source, page.file.src_uri, files), markdown) if source else markdown


def on_page_content(html, page, config, files):
    """A command in a table may be broken at its spaces; a name stays whole."""
    return re.sub(r"<code>(?=[^<]{31})", '<code class="long">', html)


def _titled(markdown, here):
    """A table of a study says which study it is of: its own title is a file's name."""
    study = re.fullmatch(r"results/([^/]+)/([^/]+)\.md", here)
    if not study or study[2] in ("README", "index") or re.search(r"^# ", markdown, re.M):
        return markdown
    title = (ROOT / PUBLISHED / study[1] / "README.md").read_text().splitlines()[0].lstrip("# ")
    return f"# {title}: {study[2].replace('_', ' ')}\n\n{markdown}"


def _turned(link, source, here, files):
    text, target, anchor = link[1], link[2], link[3] or ""
    if re.match(r"[a-z]+:|//|#", target):
        return link[0]
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    place = _site_path(wanted)
    if place is not None and files.get_file_from_path(place) is not None:
        return f"{text}({posixpath.relpath(place, posixpath.dirname(here) or '.')}{anchor})"
    if not (ROOT / wanted).exists():
        log.warning("%s: a link to %s, which is not there", source, target)
    return text.strip("![]")  # a file of the repository that is no page: its name says where it is


def _repository_path(site):
    """Where a page of the site stands in the repository; None for a generated one."""
    if site in GENERATED:
        return None
    for folder, place in (("results/", f"{PUBLISHED}/"), ("cards/", f"{CARDS}/")):
        if site.startswith(folder):
            return place + site.removeprefix(folder)
    return {target: source for source, target in ELSEWHERE.items()}.get(site, f"docs/{site}")


def _site_path(path):
    """Where a file of the repository stands on the site; None if it does not."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path == "README.md":
        return "index.md"
    if path == PUBLISHED:
        return "results/index.md"
    if path.startswith(f"{PUBLISHED}/"):
        inner = path.removeprefix(f"{PUBLISHED}/")
        return f"results/{inner}" if posixpath.splitext(inner)[1] else f"results/{inner}/README.md"
    if path.startswith(f"{CARDS}/"):
        return f"cards/{path.removeprefix(CARDS + '/')}"
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def _results():
    """One line for every published study: its own title."""
    lines = [
        "# Results",
        "",
        "Every table, with the command that makes it, n and intervals. A page names its commit.",
        "",
    ]
    for page in sorted((ROOT / PUBLISHED).glob("*/README.md")):
        title = page.read_text().splitlines()[0].lstrip("# ")
        lines.append(f"- [{title}]({page.parent.name}/README.md)")
    return "\n".join(lines) + "\n"


def _commands():
    """Help of every verb and action, as the parsers say it."""
    lines = [
        "# Commands",
        "",
        "Made from the parsers. The rules that hold in all of them: [how the commands speak](../cli.md).",
        "",
    ]
    for verb, about in {**HYDRA_VERBS, **VERBS}.items():
        lines += [f"## watermark {verb}", "", f"{about[0].upper()}{about[1:]}.", ""]
        if verb in HYDRA_VERBS:
            lines += [
                f"Composed by Hydra: `name=value`. `watermark {verb} --help` prints the groups and all values.",
                "",
            ]
            continue
        subparsers = argparse.ArgumentParser(prog="watermark").add_subparsers()
        importlib.import_module(f"watermark.cli.{verb}").add_parser(subparsers)
        for name, parser in _leaves(verb, subparsers.choices[verb]):
            lines += ([f"### {name}", ""] if name != verb else []) + [
                "```text",
                parser.format_help().rstrip(),
                "```",
                "",
            ]
    return "\n".join(lines)


def _leaves(name, parser):
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not inner:
        yield name, parser
    for action in inner:
        for word, child in action.choices.items():
            yield from _leaves(f"{name} {word}", child)


def _configuration():
    """Every name that a command takes, in one line each, and the files of the short groups."""
    lines = [
        "# Configuration",
        "",
        "Made from the files under `configs`; `watermark list` and `watermark show` print the same.",
        "",
    ]
    for kind in KINDS:
        lines += [f"## {kind.capitalize()}", "", "| name | |", "|---|---|"]
        lines += [f"| `{entry.name}` | {entry.about.replace('|', '/')} |" for entry in entries(kind)] + [""]
        if kind in ("schemes", "layouts"):
            for entry in entries(kind):
                text = config_file(GROUPS[kind], entry.name).read_text().rstrip()
                lines += [f"### {entry.name} ({GROUPS[kind]})", "", "```yaml", text, "```", ""]
    lines += ["## evaluate", "", "```yaml", (ROOT / "configs/evaluate.yaml").read_text().rstrip(), "```", ""]
    return "\n".join([*lines, "## train", "", "```yaml", (ROOT / "configs/train.yaml").read_text().rstrip(), "```", ""])


GENERATED = {
    "results/index.md": _results,
    "reference/commands.md": _commands,
    "reference/configuration.md": _configuration,
}
"""Pages that are made from the code, so that they cannot go stale."""
