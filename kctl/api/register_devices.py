"""The register's part about devices: the fields of resource.k8s.io, as :mod:`kctl.api.register_fields` has those of the rest."""

from __future__ import annotations

FIELDS = """
resource.v1.DeviceClass
  = spec
resource.v1.DeviceClassSpec
  = config extendedResourceName selectors
resource.v1.DeviceClassConfiguration
  . opaque
resource.v1.DeviceSelector
  = cel
resource.v1.CELDeviceSelector
  = expression
resource.v1.ResourceClaim
  = spec
resource.v1.ResourceClaimSpec
  = devices
resource.v1.ResourceClaimTemplate
  = spec
resource.v1.ResourceClaimTemplateSpec
  = spec
  . metadata
resource.v1.DeviceClaim
  = config constraints requests
resource.v1.DeviceClaimConfiguration
  = requests
  . opaque
resource.v1.DeviceConstraint
  = distinctAttribute matchAttribute requests
resource.v1.DeviceRequest
  = exactly firstAvailable name
resource.v1.ExactDeviceRequest
  = adminAccess allocationMode capacity count deviceClassName selectors tolerations
resource.v1.DeviceSubRequest
  = allocationMode capacity count deviceClassName name selectors tolerations
resource.v1.CapacityRequirements
  = requests
resource.v1.DeviceToleration
  = effect key operator tolerationSeconds value
resource.v1.ResourceSlice
  = spec
resource.v1.ResourceSliceSpec
  = allNodes devices driver nodeName nodeSelector perDeviceNodeSelection pool sharedCounters
resource.v1.ResourcePool
  = generation name resourceSliceCount
resource.v1.CounterSet
  = counters name
resource.v1.Counter
  = value
resource.v1.Device
  = allNodes allowMultipleAllocations attributes bindsToNode capacity consumesCounters name nodeName nodeSelector taints
  ~ bindingConditions: no driver sets them: a pod waits until somebody writes them into its claim's status
  ~ bindingFailureConditions: no driver sets them
  ~ nodeAllocatableResourceMappings: alpha, and off by default: devices take nothing of a node's own resources
resource.v1.DeviceAttribute
  = bool int string version
  ~ bools: alpha, and off by default: constraints compare such lists as a whole
  ~ ints: alpha, and off by default: constraints compare such lists as a whole
  ~ strings: alpha, and off by default: constraints compare such lists as a whole
  ~ versions: alpha, and off by default: constraints compare such lists as a whole
resource.v1.DeviceCapacity
  = requestPolicy value
resource.v1.CapacityRequestPolicy
  = default validRange validValues
resource.v1.CapacityRequestPolicyRange
  = max min step
resource.v1.DeviceCounterConsumption
  = counterSet counters
resource.v1.DeviceTaint
  = effect key value
  ~ timeAdded: a taint that stays keeps its time when a write leaves it out; upstream counts anew
"""
