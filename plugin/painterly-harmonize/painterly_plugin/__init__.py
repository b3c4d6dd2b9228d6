"""The plug-in's own modules.

Those named ``gimp_…`` import ``gi`` and run only inside GIMP; the others know nothing of GIMP and are tested without
it.

    gimp_choose → which layers        config        → what install.py left for us
    gimp_read   → what to read        placement     → boxes, rows of pixels
    gimp_ask    → what to ask         settings      → procedure arguments ↔ Parameters, the layer's note
    gimp_insert → what to insert      conversation  → one job with the engine, in a thread of its own
    gimp_run    → in which order      wording       → phases, time left
    gimp_preview → pictures on screen report        → errors for people, tracebacks for the log
    gimp_style  → what to imitate     gimp_scratch  → the copy of the image that is read from
"""
