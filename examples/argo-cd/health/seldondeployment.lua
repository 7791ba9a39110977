-- The health of a SeldonDeployment, of which Argo CD has no check of its own.
-- The operator writes status.state: Creating, Available or Failed, with a description of a failure,
-- and the replicas of each Deployment under status.deploymentStatus.
local function missing(deployments)
  local names = {}
  for name, each in pairs(deployments or {}) do
    local wanted, there = each.replicas or 0, each.availableReplicas or 0
    if there < wanted then
      table.insert(names, name .. " has " .. there .. " of " .. wanted .. " replicas")
    end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

local function health(status, message)
  return {status = status, message = message}
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "being deleted")
end
if obj.status == nil or obj.status.state == nil or obj.status.state == "" then
  return health("Progressing", "the operator has not looked at it yet")
end
if obj.status.state == "Available" then
  return health("Healthy", "available")
end

local waiting = missing(obj.status.deploymentStatus)
if obj.status.state == "Failed" then
  local said = obj.status.description or ""
  if said ~= "" and waiting ~= "" then
    said = said .. " "
  end
  return health("Degraded", said .. waiting)
end
if waiting == "" then
  waiting = "state " .. obj.status.state
end
return health("Progressing", waiting)
