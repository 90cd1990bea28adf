"""The site. ``nox -s docs`` builds it; Read the Docs builds it from ``.readthedocs.yaml``."""

import posixpath
import re
import warnings
from pathlib import Path

from docutils.nodes import Element, reference
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

import flask_unauthorized

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "https://github.com/flask-unauthorized/flask-unauthorized"

project = "flask_unauthorized"
author = "The flask_unauthorized developers"
copyright = f"{author}, BSD-3-Clause"  # noqa: A001  Sphinx reads this name
release = version = flask_unauthorized.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "inventories"]
default_role = "py:obj"
nitpicky = False
# A lexer that doesn't know a word of a console block is not a mistake of the page.
suppress_warnings = ["misc.highlighting_failure"]

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4
# `$` and `>>>` are the prompts; the output is not copied.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

autodoc_typehints = "description"
# Attributes aren't parameters: the arguments of records that users only read aren't listed twice.
autodoc_typehints_description_target = "documented"
maximum_signature_line_length = 100
autodoc_member_order = "bysource"
# What docstrings write instead of the whole name of the standard library.
SHORT_NAMES = {"timedelta": "datetime.timedelta", "ProxyFix": "werkzeug.middleware.proxy_fix.ProxyFix"}
# SQLAlchemy warns of reading an attribute of the mixin for tables, as autodoc does.
warnings.filterwarnings("ignore", "Unmanaged access of declarative attribute")

# The inventories are files, because CI has no internet. inventories/README.md says how they were made.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", "inventories/python.inv"),
    "flask": ("https://flask.palletsprojects.com/en/stable/", "inventories/flask.inv"),
    "werkzeug": ("https://werkzeug.palletsprojects.com/en/stable/", "inventories/werkzeug.inv"),
}

html_theme = "furo"
# The dark style of the theme underlines the names of modules, which then look like links.
pygments_dark_style = "a11y-high-contrast-dark"
html_title = f"flask_unauthorized {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"source_repository": SOURCE, "source_branch": "main", "source_directory": "docs/"}


def mend_html(app: Sphinx, name: str, template: str, context: dict[str, object], document: object) -> None:
    """Let keys reach what scrolls, and give the headings of the navigation a level (axe-core finds both otherwise)."""
    for part, wrong, right in (
        ("body", "<pre", '<pre tabindex="0"'),
        ("body", '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
        # Long signatures are lists of definitions without terms.
        ("body", "<dl>\n<dd><em", '<dl role="none">\n<dd><em'),
        ("body", '<dd><em class="sig-param', '<dd role="none"><em class="sig-param'),
        ("body", 'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'),
        ("furo_navigation_tree", 'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'),
    ):
        if isinstance(html := context.get(part), str):
            context[part] = html.replace(wrong, right)


def link_to_the_repository(app: Sphinx, name: str, content: list[str]) -> None:
    """Let links out of this folder, such as those to tests, lead to the repository: the site has no such pages."""
    folder = posixpath.dirname(f"docs/{name}")

    def address(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link[2]))
        return link[0] if path.startswith("docs/") else f"{link[1]}{SOURCE}/blob/main/{path}"

    content[0] = re.sub(r"(\]\(|^\[[^\]]+\]: )(\.\.?/[^)\s#]+)", address, content[0], flags=re.MULTILINE)


def leave_out_private_bases(app: Sphinx, name: str, obj: object, options: object, bases: list[type]) -> None:
    """Show the public bases of a class only."""
    bases[:] = [base for base in bases if not base.__name__.startswith("_")]


def link_short_names(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> reference | None:
    """Link a name of another module, such as `TokenRecord` or `Auth.sessions`, if only one object ends in it."""
    if node.get("refdomain") != "py":
        return None
    node["reftarget"] = SHORT_NAMES.get(node["reftarget"], node["reftarget"])
    domain = env.get_domain("py")
    ending = "." + node["reftarget"].removesuffix("()")
    places = {(doc, anchor) for name, _, _, doc, anchor, _ in domain.get_objects() if name.endswith(ending)}
    if len(places) != 1:
        return None
    ((document, anchor),) = places
    return make_refnode(app.builder, node["refdoc"], document, anchor, content)


def setup(app: Sphinx) -> None:
    """Connect what this file defines."""
    app.connect("autodoc-process-bases", leave_out_private_bases)
    # Before intersphinx, which then looks for what this has made of a name.
    app.connect("missing-reference", link_short_names, priority=400)
    app.connect("source-read", link_to_the_repository)
    app.connect("html-page-context", mend_html, priority=900)  # after the theme's own
