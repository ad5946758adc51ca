// Keeps the library from being empty while no support file needs compiling.
