// What needs the code to be there: the alerts that brake the queue, whose receiver is a function with a
// key of its own, and the API of the gateway. The hook `postdeploy` deploys it.
targetScope = 'subscription'
metadata description = 'Alerts that brake the queue, and the API of the gateway.'

@minLength(1)
@maxLength(32)
param environmentName string

@minLength(1)
param location string
@minLength(1)
@maxLength(90)
param resourceGroupName string

@minLength(1)
param functionAppName string

@description('The Azure OpenAI account; the rules are deployed to its resource group.')
param openAiResourceId string

@description('[{ name, deployment }]: its PTU deployments, by their names in the app and in Azure.')
param deployments array

@description('[{ resourceId, deployments, utilizationMetric }]: the same of each further account.')
param furtherResources array = []

@allowed(['key', 'entra'])
param alertAuthentication string = 'key'

@description('With entra: what infra/scripts/secure_webhook.py printed.')
param alertWebhookObjectId string = ''
param alertWebhookIdentifierUri string = ''

@description('Refused calls in a minute beyond which the queue brakes.')
@minValue(0)
param refusalThreshold int = 3

@description('Percent, average of a minute, beyond which the queue brakes.')
@minValue(50)
param utilizationThreshold int = 100

@description('Name of the metric of utilization, by the kind of the account: the other one for kind AIServices. The hook reads the kind.')
@allowed(['AzureOpenAIProvisionedManagedUtilizationV2', 'ProvisionedUtilization'])
param utilizationMetric string = 'AzureOpenAIProvisionedManagedUtilizationV2'

@description('With API Management: its name, and the client id of the gateway\'s identity.')
param apiManagementName string = ''
param gatewayClientId string = ''
param hasNextBackend bool = false
param gatewayJwtAudience string = ''
param gatewayTenantClaim string = 'azp'

@description('Roles, one of which a caller\'s token must have, comma separated; empty: no role is required.')
param gatewayJwtRoles string = ''

var abbreviations = loadJsonContent('abbreviations.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var accountParts = split(openAiResourceId, '/')

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' existing = {
  name: resourceGroupName
}

module receiver 'app/alert-receiver.bicep' = {
  name: 'alert-receiver'
  scope: group
  params: {
    tags: tags
    actionGroupName: '${abbreviations.insightsActionGroups}brake-${token}'
    functionAppName: functionAppName
    authentication: alertAuthentication
    webhookObjectId: alertWebhookObjectId
    webhookIdentifierUri: alertWebhookIdentifierUri
    webhookTenantId: tenant().tenantId
  }
}

module rules 'app/openai-alerts.bicep' = {
  name: 'openai-alerts-${token}'
  scope: resourceGroup(accountParts[2], accountParts[4])
  params: {
    tags: tags
    accountName: accountParts[8]
    deployments: deployments
    actionGroupId: receiver.outputs.id
    prefix: 'ptu-${environmentName}'
    refusalThreshold: refusalThreshold
    utilizationThreshold: utilizationThreshold
    utilizationMetric: utilizationMetric
  }
}

module furtherRules 'app/openai-alerts.bicep' = [for (one, index) in furtherResources: {
  name: 'further-openai-alerts-${index}-${token}'
  scope: resourceGroup(split(one.resourceId, '/')[2], split(one.resourceId, '/')[4])
  params: {
    tags: tags
    accountName: split(one.resourceId, '/')[8]
    deployments: one.deployments
    actionGroupId: receiver.outputs.id
    prefix: 'ptu-${environmentName}'
    refusalThreshold: refusalThreshold
    utilizationThreshold: utilizationThreshold
    utilizationMetric: one.utilizationMetric
  }
}]

module api 'app/api-management-api.bicep' = if (!empty(apiManagementName)) {
  name: 'api-management-api'
  scope: group
  params: {
    serviceName: apiManagementName
    functionAppName: functionAppName
    gatewayClientId: gatewayClientId
    hasNextBackend: hasNextBackend
    jwtAudience: gatewayJwtAudience
    tenantClaim: gatewayTenantClaim
    jwtRoles: gatewayJwtRoles
  }
}
