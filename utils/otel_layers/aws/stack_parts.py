"""What moto's CloudFormation lacks, added to it: the SAM transform, refusal of what it cannot make, outputs and failures of change sets."""

from __future__ import annotations

import importlib
import json
import traceback
from typing import Any

from . import resource_parts, sam_transform


def install() -> None:
    """Change moto's CloudFormation in this process (this imports it, which takes a second or two)."""
    models: Any = importlib.import_module("moto.cloudformation.models")
    responses: Any = importlib.import_module("moto.cloudformation.responses")
    resource_parts.install()
    backend = models.CloudFormationBackend
    create, change, update = backend.create_stack, backend.create_change_set, backend.update_stack
    execute, summary = backend.execute_change_set, responses.get_template_summary_response_from_template

    def create_stack(self: Any, name: str, template: str, parameters: dict[str, Any], **more: Any) -> Any:
        return create(self, name=name, template=expanded(template, parameters, self), parameters=parameters, **more)

    def create_change_set(self: Any, *, template: str, parameters: dict[str, str], **more: Any) -> Any:
        made = change(self, template=expanded(template, parameters, self), parameters=parameters, **more)
        try:
            changeable(self.change_sets[made[0]])
        except Exception:
            del self.change_sets[made[0]]
            raise
        return made

    def update_stack(self: Any, name: str, template: str, parameters: Any = None, **more: Any) -> Any:
        values = {p["ParameterKey"]: p["ParameterValue"] for p in parameters or [] if "ParameterValue" in p}
        return update(self, name=name, template=expanded(template, values, self), parameters=parameters, **more)

    def execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        found = self.describe_change_set(change_set_name)
        try:
            execute(self, change_set_name=change_set_name, stack_name=stack_name)
            settle(self.stacks[found.stack_id], found)
        except Exception as exc:  # noqa: BLE001 - whatever a resource raises is why the stack failed
            traceback.print_exc()
            failed(self.stacks[found.stack_id], found, exc)

    def get_template_summary(body: str) -> dict[str, Any]:
        found: dict[str, Any] = summary(body)
        transform = found.get("Transform", [])
        found["DeclaredTransforms"] = [transform] if isinstance(transform, str) else list(transform)
        return found

    backend.create_stack, backend.create_change_set, backend.update_stack = create_stack, create_change_set, update_stack
    backend.execute_change_set = execute_change_set
    responses.get_template_summary_response_from_template = get_template_summary


def expanded(template: str, parameters: dict[str, str], backend: Any) -> str:
    """The template as plain CloudFormation; a ValidationError for what CloudFormation, or this embedded one, cannot make."""
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.models import Stack
    from moto.cloudformation.parsing import NULL_MODELS, get_model_map

    try:
        parsed = Stack.parse_template(template)
        # YAML dates (a policy's Version) are not JSON.
        parsed = json.loads(json.dumps(parsed, default=str))
        plain = sam_transform.expand(parsed, parameters, backend.region_name, lambda: managed_policies(backend.region_name))
    except sam_transform.NotTranslated as exc:
        raise ValidationError(message=f"Transform {sam_transform.SERVERLESS} failed with: {exc}") from exc
    except (ValueError, AttributeError, TypeError) as exc:
        raise ValidationError(message=f"Template format error: {exc}") from exc
    for name, resource in plain.get("Resources", {}).items():
        kind = resource.get("Type", "")
        if kind not in get_model_map() and kind not in NULL_MODELS:
            raise ValidationError(message=f"the embedded AWS cannot make {kind} ({name})")
        resource.setdefault("Properties", {})  # moto adds it while making the resource, and would then see a change
    return json.dumps(plain)


def changeable(change_set: Any) -> None:
    """A ValidationError for a change of what moto cannot change: it would forget the resource."""
    from moto.cloudformation.exceptions import ValidationError
    from moto.cloudformation.parsing import get_model_map

    for change in change_set.changes:
        model = get_model_map().get(change.resource_type)
        if change.action == "Modify" and model and hasattr(model.update_from_cloudformation_json, "__isabstractmethod__"):
            said = f"the embedded AWS cannot change {change.resource_type} ({change.logical_resource_id}): delete the stack first"
            raise ValidationError(message=said)


def settle(stack: Any, change_set: Any) -> None:
    """Let the stack show what the change set made of it: template, parameters, outputs, exports."""
    stack.template = change_set.template
    stack._parse_template()
    stack.parameters = dict(change_set.parameters)
    stack.description = stack.template_dict.get("Description")
    stack.tags = change_set.tags or stack.tags
    stack.output_map = stack._create_output_map()


def failed(stack: Any, change_set: Any, reason: Exception) -> None:
    """A change set that could not be executed: what a creation made is removed, and the stack says why."""
    creating = change_set.change_set_type == "CREATE"
    said = f"{type(reason).__name__}: {reason}"
    stack._add_stack_event("CREATE_FAILED" if creating else "UPDATE_FAILED", resource_status_reason=said)
    if creating:
        try:
            stack.resource_map.delete()
        except Exception:  # noqa: BLE001 - a rollback goes as far as it can
            traceback.print_exc()
    # Whoever asks for the stack's resources would otherwise make the missing ones: moto's map is lazy.
    made, declared = stack.resource_map._parsed_resources, stack.resource_map._resource_json_map
    stack.resource_map._resource_json_map = {} if creating else {k: v for k, v in declared.items() if made.get(k) is not None}
    stack.output_map = type(stack.output_map)(stack.resource_map, {}, stack.stack_id)
    # Nothing here can restore a half updated stack: it says so, and must be deleted.
    stack.status = "ROLLBACK_COMPLETE" if creating else "UPDATE_ROLLBACK_FAILED"
    stack._add_stack_event(stack.status, resource_status_reason=said)
    change_set.execution_status, change_set.status_reason = "EXECUTE_FAILED", said


def managed_policies(region: str) -> dict[str, str]:
    """The ARNs of AWS's managed policies by name."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data
    from moto.utilities.utils import get_partition

    prefix = f"arn:{get_partition(region)}:iam::aws:policy"
    return {name: f"{prefix}{policy.get('Path', '/')}{name}" for name, policy in json.loads(aws_managed_policies_data).items()}
