"""The documentation as a site: Sphinx reads the Markdown pages of this folder, and the reference out of the code.

`make docs` builds it; a link that leads nowhere is an error. Nothing is loaded from another host.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tools"))

from pointsman import __version__

project, author, release = "Pointsman", "the Pointsman authors", __version__
copyright = "the Pointsman authors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference", "state_diagram"]
exclude_patterns = ["tools", "images", "static"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__init__,__new__"}
autodoc_type_aliases = {"Floats": "Floats", "Vectors": "Vectors", "Ints": "Ints", "Mask": "Mask"}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Names of other libraries, and of ours that the reference doesn't list: shown, not linked.
nitpick_ignore_regex = [("py:.*", r"(?!pointsman\.[A-Z]).*")]

html_theme = "furo"
html_title = "Pointsman"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style, pygments_dark_style = "friendly", "monokai"
