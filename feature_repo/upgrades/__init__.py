"""Migrations of data folders, one file each: ``v<number>.py`` leads to the layout of that number.

``feature_repo.layout`` says what such a module has (``Migration``), finds it by its number and runs it.
"""
