"""What a server keeps: one database, its tables by subject, migrations."""
