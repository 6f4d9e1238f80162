"""Picture files as the blocks they are made of, so that metadata can travel as bytes.

Pillow decodes and encodes the pixels. It reads metadata into its own picture of them and writes that back: types
change, chunks after the pixels, unknown chunks and IPTC are lost, and one wrong tag can cost the picture. The libraries
for the blocks themselves are no help: piexif has been left alone since 2019 and raises on wrong types, pyexiv2 is GPL,
tifffile writes no EXIF directories, pypng decodes the pixels too. The blocks are simple, so they are walked here.
"""
