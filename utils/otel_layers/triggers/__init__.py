"""The trigger table of all languages, utils/conformance/triggers.json: its rules, and the page that is made from it."""
