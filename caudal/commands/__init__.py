"""The commands, one a file. `options` declares what several of them take; importing a command imports no library."""
