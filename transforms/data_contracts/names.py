"""Names of the Open Data Contract Standard 3.1 that a contract may have, by the place where they stand."""

VERSION = "v3.1.0"
"""Version of the standard, as contracts name it."""

STATUSES = ("active", "draft", "proposed", "deprecated", "retired")

CONTRACT = frozenset(
    [
        "apiVersion",
        "authoritativeDefinitions",
        "contractCreatedTs",
        "customProperties",
        "dataProduct",
        "description",
        "domain",
        "id",
        "kind",
        "name",
        "price",
        "roles",
        "schema",
        "servers",
        "slaDefaultElement",
        "slaProperties",
        "status",
        "support",
        "tags",
        "team",
        "tenant",
        "version",
    ]
)
"""Names at the top of a contract."""

_ELEMENT = frozenset(
    [
        "authoritativeDefinitions",
        "businessName",
        "customProperties",
        "description",
        "id",
        "name",
        "physicalType",
        "quality",
        "relationships",
        "tags",
        "logicalType",
        "physicalName",
    ]
)
OBJECT = _ELEMENT | {"dataGranularityDescription", "properties"}
"""Names of a table."""

PROPERTY = _ELEMENT | frozenset(
    [
        "classification",
        "criticalDataElement",
        "encryptedName",
        "examples",
        "items",
        "logicalTypeOptions",
        "partitionKeyPosition",
        "partitioned",
        "primaryKey",
        "primaryKeyPosition",
        "properties",
        "required",
        "transformDescription",
        "transformLogic",
        "transformSourceObjects",
        "unique",
    ]
)
"""Names of a column."""

LOGICAL_TYPES = ("string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean")

LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

OPTIONS: dict[str, frozenset[str]] = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
    "date": frozenset({"format", *LIMITS}),
    "timestamp": frozenset({"format", "timezone", "defaultTimezone", *LIMITS}),
    "time": frozenset({"format", "timezone", "defaultTimezone", *LIMITS}),
    "integer": frozenset({"format", "multipleOf", *LIMITS}),
    "number": frozenset({"format", "multipleOf", *LIMITS}),
    "object": frozenset({"minProperties", "maxProperties", "required"}),
    "array": frozenset({"minItems", "maxItems", "uniqueItems"}),
}
"""Logical type → names of its ``logicalTypeOptions``."""

OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)

QUALITY = frozenset(
    [
        "arguments",
        "authoritativeDefinitions",
        "businessImpact",
        "customProperties",
        "description",
        "dimension",
        "engine",
        "id",
        "implementation",
        "method",
        "metric",
        "name",
        "query",
        "rule",
        "schedule",
        "scheduler",
        "severity",
        "tags",
        "type",
        "unit",
        *OPERATORS,
    ]
)
"""Names of a rule of quality."""

METRICS: dict[str, frozenset[str]] = {
    "nullValues": frozenset(),
    "missingValues": frozenset({"missingValues"}),
    "invalidValues": frozenset({"validValues", "pattern"}),
    "duplicateValues": frozenset({"properties"}),
    "rowCount": frozenset(),
}
"""Metric of the library → names of its arguments."""

UNITS = ("rows", "percent")

SLA = frozenset(
    ["description", "driver", "element", "id", "property", "schedule", "scheduler", "unit", "value", "valueExt"]
)
"""Names of a service level."""
