"""The documentation site, built without network: ``sphinx-build -W docs build/docs``."""

import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "80"
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import eventsnn

project = "eventsnn"
copyright = "the authors of eventsnn"
version = release = eventsnn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "markdown_docstrings",
    "reference_pages",
]
exclude_patterns = ["gallery/*"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
smartquotes = False
highlight_language = "none"
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:data", ".*")]  # types in signatures, many of other packages

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
add_module_names = False
python_maximum_signature_line_length = 120
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_look.in_order",
    "download_all_examples": False,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "capture_repr": (),
    "thumbnail_size": (480, 336),
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "gallery_look.set_look"),
    "image_srcset": ["2x"],
}

html_theme = "furo"
html_title = f"eventsnn {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
