"""Write into PNG files the settings that made them."""
