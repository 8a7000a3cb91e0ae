"""Bicep without its compiler: read by tree-sitter, checked by what is known of Azure."""
