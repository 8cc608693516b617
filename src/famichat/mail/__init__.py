"""E-mail: confirming addresses and resetting passwords, over the SMTP server of the operator."""
