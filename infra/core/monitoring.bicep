// Logs and traces: a Log Analytics workspace and the Application Insights component on it.
metadata description = 'Log Analytics and Application Insights, without local authentication.'

param location string
param tags object
param workspaceName string
param componentName string

@description('Days that logs and traces are kept; what goes beyond 90 is paid for.')
@minValue(30)
@maxValue(730)
param retentionDays int

module workspace 'br/public:avm/res/operational-insights/workspace:0.11.1' = {
  name: 'log-analytics'
  params: {
    name: workspaceName
    location: location
    tags: tags
    dataRetention: retentionDays
    // the module's default asks for a key of one's own, which there is not
    forceCmkForQuery: false
  }
}

module component 'br/public:avm/res/insights/component:0.6.0' = {
  name: 'application-insights'
  params: {
    name: componentName
    location: location
    tags: tags
    workspaceResourceId: workspace.outputs.resourceId
    // the instrumentation key alone is no longer enough to write: the identity's role decides
    disableLocalAuth: true
  }
}

output workspaceId string = workspace.outputs.resourceId
output componentName string = component.outputs.name
output connectionString string = component.outputs.connectionString
