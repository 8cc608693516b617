"""Commands of the server's operator. They open the database, or run the server."""
