"""What aws-actions/configure-aws-credentials does with a role, against the AWS of AWS_ENDPOINT_URL."""

import os
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path

given = os.environ
if not given["ROLE"].startswith("arn:"):
    raise SystemExit("Could not load credentials: no role was named")
asked = {
    "Action": "AssumeRoleWithWebIdentity",
    "Version": "2011-06-15",
    "RoleArn": given["ROLE"],
    "RoleSessionName": given["SESSION"],
    "WebIdentityToken": "a token of this run",
}
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(given["AWS_ENDPOINT_URL"], data=urllib.parse.urlencode(asked).encode(), timeout=60) as answer:
    tree = ET.fromstring(answer.read())
found = {node.tag.rpartition("}")[2]: node.text or "" for node in tree.iter()}
with Path(given["GITHUB_ENV"]).open("a") as out:
    out.write(
        f"AWS_ACCESS_KEY_ID={found['AccessKeyId']}\nAWS_SECRET_ACCESS_KEY={found['SecretAccessKey']}\nAWS_SESSION_TOKEN={found['SessionToken']}\n"
    )
    out.write(f"AWS_REGION={given['REGION']}\nAWS_DEFAULT_REGION={given['REGION']}\n")
