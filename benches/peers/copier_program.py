"""copier_program.py TEMPLATE SPECS OUT: copier's own API, a copy for each spec of a folder."""

import sys
from pathlib import Path

import yaml
from copier import run_copy

template, specs, out = sys.argv[1:]
for path in sorted(Path(specs).iterdir()):
    data = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    run_copy(template, out, data=data, defaults=True, overwrite=True, quiet=True)
