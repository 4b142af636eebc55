"""Settings that pictures carry: write them into PNG files."""
