"""
How Sphinx builds the site. Nothing is fetched: no fonts, no scripts, no inventories of others.

    python -m sphinx -W --keep-going -b html docs build/docs
"""

from __future__ import annotations

from cio_events import __version__

project = "cio-events"
author = "the authors of cio-events"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

# Single backquotes in docstrings name something of Python's or ours.
default_role = "py:obj"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_use_ivar = True
add_module_names = False
python_use_unqualified_type_names = True

# A link to a heading is checked too.
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]

html_theme = "furo"
html_title = f"cio-events {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
