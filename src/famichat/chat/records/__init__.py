"""The database tables of families, conversations and messages. They import no rules, so every rule may import them."""
