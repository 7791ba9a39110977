"""Image registries: what a tag stands for there. Imported only by the command that asks one."""
