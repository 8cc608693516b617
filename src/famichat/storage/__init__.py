"""The ground: one database, its transactions, the journal that messages go through, and what is sealed at rest."""
