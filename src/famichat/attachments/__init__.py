"""Photos, files and voice notes: resumable uploads, image cleaning, encryption at rest and authorised downloads."""
