ADDRESS = "https://acme.blob.core.windows.net/sizes?sv=2024-11-04&sig=made-up-for-this-example"


def step(image):
    return image
