"""Regions of a picture, each with a prompt of its own.

region  -> what a user asks for: a prompt, and a box or a mask
masks   -> masks of any kind as numbers, resampled to a layer of attention
shares  -> how much each prompt counts at each place
"""
