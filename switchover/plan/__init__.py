"""Plans: what a team writes down, loaded with line-precise errors, compiled to stages."""
