"""How figures hold up when labelled rows are damaged, cut, or told of another country."""
