"""Write reports as HTML: pages of their own, or parts of other pages."""
