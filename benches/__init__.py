"""How fast gen is: beside its floor, its neighbours, git, and another commit of itself."""
