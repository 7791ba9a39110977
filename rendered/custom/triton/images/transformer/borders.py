"""Cut borders off pictures."""

from PIL import Image, ImageChops


def trim(image: Image.Image) -> Image.Image:
    """The picture without a border of its corner's colour; as it was when it is all border."""
    background = Image.new(image.mode, image.size, image.getpixel((0, 0)))
    box = ImageChops.difference(image, background).getbbox()
    return image.crop(box) if box else image
