"""The commands of `gen`, a module each; click stands only here and in `cli`."""
