"""Installed dependencies of earlier builds, kept by content and laid into later ones; standard library only.

The launcher that stands in for ``npm`` in a build imports from here too, so nothing here may load much.
"""
