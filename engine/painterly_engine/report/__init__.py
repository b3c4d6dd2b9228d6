"""What a run did, kept in a folder, shown as a page that needs only a browser. Torch only in ``figures`` and ``keeping``."""
