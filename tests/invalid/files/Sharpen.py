"""Operations that the specs of this folder name; only their place matters."""
