#!/usr/bin/env python3
"""check_schema.py SCHEMA DOCUMENT...: do the documents follow the schema?"""
import json
import sys

import jsonschema

with open(sys.argv[1]) as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name) as f:
        document = json.load(f)
    try:
        validator.validate(document)
    except jsonschema.ValidationError:
        print(name)
        raise
