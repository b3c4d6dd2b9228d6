"""Many harmonizations: what is to be run, who runs it, what of it is finished already."""
