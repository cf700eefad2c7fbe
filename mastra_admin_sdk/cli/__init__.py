"""The command line, `mastra-admin`: one file per noun, all on top of `MastraAdmin`."""
