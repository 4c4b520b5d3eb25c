"""DynamoDB's calls as the database conventions and its own page describe them."""

_PLAIN = {
    "AttributesToGet": "attributes_to_get",
    "ConsistentRead": "consistent_read",
    "ExclusiveStartTableName": "exclusive_start_table",
    "IndexName": "index_name",
    "Limit": "limit",
    "ProjectionExpression": "projection",
    "ScanIndexForward": "scan_forward",
    "Segment": "segment",
    "Select": "select",
    "TotalSegments": "total_segments",
}
_LISTS = {
    "AttributeDefinitions": "attribute_definitions",
    "GlobalSecondaryIndexUpdates": "global_secondary_index_updates",
    "GlobalSecondaryIndexes": "global_secondary_indexes",
    "LocalSecondaryIndexes": "local_secondary_indexes",
}


def request(operation, parameters, _region=""):
    """The attributes of a request."""
    out = {"db.system.name": "aws.dynamodb", "db.operation.name": operation}
    tables = _tables(parameters)
    if tables:
        out["aws.dynamodb.table_names"] = tables
        if len(tables) == 1:
            out["db.collection.name"] = tables[0]
    for key, name in _PLAIN.items():
        value = parameters.get(key)
        if isinstance(value, (str, int, list)):
            out["aws.dynamodb." + name] = value
    for key, name in _LISTS.items():
        value = parameters.get(key)
        if isinstance(value, list) and not (key == "AttributeDefinitions" and operation == "CreateTable"):
            out["aws.dynamodb." + name] = [_json(v) for v in value]
    throughput = parameters.get("ProvisionedThroughput")
    if isinstance(throughput, dict):
        out["aws.dynamodb.provisioned_read_capacity"] = throughput.get("ReadCapacityUnits")
        out["aws.dynamodb.provisioned_write_capacity"] = throughput.get("WriteCapacityUnits")
    items = parameters.get("RequestItems")
    if operation.startswith("Batch") and isinstance(items, dict) and len(items) == 1:
        (entry,) = items.values()
        count = len(entry.get("Keys") or ()) if isinstance(entry, dict) else len(entry)
        if count > 1:
            out["db.operation.batch.size"] = count
    return out


def response(operation, result):
    """The attributes of what came back."""
    out = {}
    consumed = result.get("ConsumedCapacity")
    if consumed:
        out["aws.dynamodb.consumed_capacity"] = [_json(c) for c in (consumed if isinstance(consumed, list) else [consumed])]
    if result.get("ItemCollectionMetrics") is not None:
        out["aws.dynamodb.item_collection_metrics"] = _json(result["ItemCollectionMetrics"])
    if operation == "Scan":
        out["aws.dynamodb.count"], out["aws.dynamodb.scanned_count"] = result.get("Count"), result.get("ScannedCount")
    if operation == "ListTables":
        out["aws.dynamodb.table_count"] = len(result.get("TableNames") or ())
    return out


def _tables(parameters):
    name, items = parameters.get("TableName"), parameters.get("RequestItems")
    if isinstance(name, str):
        return [name]
    return [str(k) for k in items] if isinstance(items, dict) else []


def _json(value):
    import json

    return json.dumps(value, default=str)
