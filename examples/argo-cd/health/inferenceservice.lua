-- The health of an InferenceService, in place of Argo CD's own check.
-- That one calls every condition that is False degraded. In Standard mode KServe copies the
-- Deployment's Available, which is False until the first pod is ready: a sync with waves or hooks
-- would fail while the model is being downloaded. Here a failure is what KServe says it is.
-- status.observedGeneration is the Deployment's or Knative Service's, not this object's: it does not
-- tell whether KServe has seen the last change.
local STARTING = {[""] = true, MinimumReplicasUnavailable = true}
-- They repeat what other conditions say.
local SUMMARY = {IngressReady = true, LatestDeploymentReady = true, Ready = true, RoutesReady = true}
local FAILED = {BlockedByFailedLoad = true, InvalidSpec = true}

local function health(status, message)
  return {status = status, message = message}
end

local function told(condition)
  local text = condition.type .. " is " .. condition.status
  for _, more in ipairs({condition.reason or "", condition.message or ""}) do
    if more ~= "" then
      text = text .. ", " .. more
    end
  end
  return text
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "being deleted")
end
if obj.status == nil or obj.status.conditions == nil then
  return health("Progressing", "KServe has not looked at it yet")
end

local model = obj.status.modelStatus or {}
if FAILED[model.transitionStatus or ""] then
  local info = model.lastFailureInfo or {}
  local why = (info.reason or "") .. " " .. (info.message or "")
  return health("Degraded", "the model is " .. model.transitionStatus .. ": " .. why)
end

local isReady, isStopped, failures, waiting = false, false, {}, {}
for _, condition in ipairs(obj.status.conditions) do
  if condition.type == "Stopped" then
    isStopped = condition.status == "True"
  elseif condition.status == "True" then
    isReady = isReady or condition.type == "Ready"
  elseif condition.status == "False" and not SUMMARY[condition.type]
      and not STARTING[condition.reason or ""] then
    table.insert(failures, told(condition))
  else
    table.insert(waiting, told(condition))
  end
end
table.sort(failures)
table.sort(waiting)

if isStopped then
  local annotations = obj.metadata.annotations or {}
  if string.lower(annotations["serving.kserve.io/stop"] or "") == "true" then  -- as KServe reads it
    return health("Healthy", "stopped, as its annotation asks for")
  end
  return health("Suspended", "stopped")
end
if #failures > 0 then
  return health("Degraded", table.concat(failures, "; "))
end
if isReady and #waiting == 0 then
  return health("Healthy", "ready")
end
return health("Progressing", table.concat(waiting, "; "))
