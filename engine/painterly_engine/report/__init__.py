"""What a run did, kept in a folder and shown as a page. Torch only in ``figures`` and ``keeping``."""
