/** The version of the project, from `pyproject.toml`: the server serves the client of its own version. */
declare const APP_VERSION: string
