"""Values as tables, Markdown and pictures. Pure: nothing is read here and nothing is sent."""
