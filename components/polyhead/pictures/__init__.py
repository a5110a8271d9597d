"""Picture files: safely found, examined, decoded, turned upright, over one background, resized; the graph's twin.

What a file's pixels are, everywhere:

1. The first picture of the file, at full depth. A truncated file is not a picture.
2. Samples of 16 bits, in PNG and TIFF files, become 8: `sample_range` or, without one, 0 to 2^n - 1 is spread over 0 to
   255, rounded to the nearest. n is what a PNG's sBIT chunk says if all samples fit into that many bits, and 16 if they
   do not; without that chunk it is the smallest of 8, 10, 12, 14 and 16 that holds the file's largest sample, alpha
   left aside. Those of a gray DICOM file are rescaled by its modality's table or its slope and intercept, and
   `sample_range`, what its first VOI table says, its first window or what the bits in use can hold is spread, rounded
   to the nearest; of MONOCHROME1 the lowest is white.
3. What is transparent shows the background: (alpha * colour + (255 - alpha) * background) / 255, rounded.
4. Where gray is wanted, it is (19595 red + 38470 green + 7471 blue) / 65536, rounded: ITU-R BT.601 as Pillow has it. A
   gray file keeps its samples.
5. The picture is turned by the EXIF orientation of JPEG, PNG (`eXIf`), WEBP and AVIF files, and by the same tag
   of TIFF files.

The serving graph repeats all of it in TensorFlow operations (`polyhead.pictures.graph`); the two agree to the last bit
on every format that the graph takes.
"""
