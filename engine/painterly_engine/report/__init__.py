"""What a run did, kept in a folder, and shown as a page that needs nothing but a browser. Torch only in ``figures``."""
