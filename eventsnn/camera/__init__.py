"""An event camera: pixels that turn light into events, and the chances in them."""
