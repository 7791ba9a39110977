"""PyYAML's safe loader: libyaml's where PyYAML has it, else the slower one of the same result."""

import yaml

Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)
