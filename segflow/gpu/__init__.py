"""One package for one kind of GPU machine (`package`), and what is run of it there (`check`)."""
