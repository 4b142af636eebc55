"""The syntaxes: one file each, none of which knows another."""
