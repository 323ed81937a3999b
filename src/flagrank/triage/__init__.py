"""The domain: the words of the field, their rules, and the ports that other rooms fill. Opens nothing."""
