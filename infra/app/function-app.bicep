// The Function App on Flex Consumption, and every setting that it starts with.
metadata description = 'Flex Consumption plan and Function App, with a user-assigned identity and no keys.'

param location string
param tags object
param planName string
param name string

@description('Resource id and client id of the identity that everything is done as.')
param identityId string
param identityClientId string

@description('Subnet to call out of, or empty.')
param subnetId string

@description('Closes the app to the internet. Action groups, code deployment and whoever calls from outside then cannot reach it.')
param inboundPrivate bool

@description('Memory of an instance. A dispatch function that holds requests at a closed gate keeps an instance busy: 2,048 MB cost about 137 USD for a month of waiting, 512 MB a quarter of that; three dispatch functions wait at most.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('HTTP calls that an instance takes at a time. Python\'s default is 1, which would start an instance for each call; the app is asynchronous.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('[{ name, instanceCount }]: instances that are never stopped, for `http` or for `function:<name>`.')
param alwaysReady array

param storageBlobEndpoint string
param deploymentContainer string
param eventHubsHost string
param cosmosEndpoint string
param cosmosDatabase string

@description('The secret with the key of request ids, without a version: the app reads all versions of it.')
param requestIdKeyUri string

param applicationInsightsConnectionString string
param openAiEndpoint string
param openAiResourceId string
param openAiLocation string

@description('Version of the Azure OpenAI API; empty: the app\'s own default.')
param openAiApiVersion string

@description('[{ label, entry }]: what DEPLOYMENTS and SPILLOVER_DEPLOYMENTS say of each (docs/settings.md), and the label of its account; empty: the first account.')
param deployments array
param spilloverDeployments array

@description('[{ label, place }]: the further accounts. place has endpoint, resource_id and monitor_endpoint.')
param furtherAccounts array

param hubRetentionSeconds int
param alertAuthentication string
param alertTenantId string
param alertAudience string

@description('Further settings of docs/settings.md by name, or others than these.')
param settings object

var labels = [for one in furtherAccounts: one.label]
var placed = [for one in deployments: empty(one.label) ? one.entry : union(one.entry, furtherAccounts[indexOf(labels, one.label)].place)]
var placedSpillover = [for one in spilloverDeployments: empty(one.label) ? one.entry : union(one.entry, furtherAccounts[indexOf(labels, one.label)].place)]

// Read by ptu_optimizer/settings/.
var ours = {
  ALERT_AUDIENCE: alertAudience
  ALERT_AUTHENTICATION: alertAuthentication
  ALERT_TENANT_ID: alertTenantId
  AZURE_CLIENT_ID: identityClientId
  AZURE_MONITOR_ENDPOINT: 'https://${openAiLocation}.metrics.monitor.azure.com'
  AZURE_OPENAI_ENDPOINT: openAiEndpoint
  AZURE_OPENAI_RESOURCE_ID: openAiResourceId
  AzureWebJobsStorage__blobServiceUri: storageBlobEndpoint
  COSMOS__accountEndpoint: cosmosEndpoint
  COSMOS_DATABASE: cosmosDatabase
  DEPLOYMENTS: string(placed)
  EVENT_HUBS__fullyQualifiedNamespace: eventHubsHost
  GAUGE_SCHEDULE: '15 * * * * *'
  HUB_RETENTION_SECONDS: string(hubRetentionSeconds)
  REQUEST_ID_KEY: '@Microsoft.KeyVault(SecretUri=${requestIdKeyUri})'
  SPILLOVER_DEPLOYMENTS: string(placedSpillover)
  SWEEP_SCHEDULE: '30 */2 * * * *'
}

// The app reads the key itself, by its identity. A reference that is not resolved arrives as its own
// text, which anybody can compute: the reference REQUEST_ID_KEY is for code of the release before only.
// A key of one's own in `settings` replaces the one in the vault, so the app must not be told of that.
var keyInVault = contains(settings, 'REQUEST_ID_KEY') ? {} : { REQUEST_ID_KEY_URI: requestIdKeyUri }
var apiVersion = empty(openAiApiVersion) ? {} : { AZURE_OPENAI_API_VERSION: openAiApiVersion }

// Read by the Functions host. FUNCTIONS_WORKER_RUNTIME is refused on Flex Consumption.
var hosts = {
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsightsConnectionString
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  COSMOS__clientId: identityClientId
  COSMOS__credential: 'managedidentity'
  EVENT_HUBS__clientId: identityClientId
  EVENT_HUBS__credential: 'managedidentity'
}

module plan 'br/public:avm/res/web/serverfarm:0.5.0' = {
  name: 'plan'
  params: {
    name: planName
    location: location
    tags: tags
    skuName: 'FC1'
    reserved: true
    zoneRedundant: false
  }
}

module site 'br/public:avm/res/web/site:0.19.3' = {
  name: 'function-app'
  params: {
    name: name
    location: location
    tags: union(tags, { 'azd-service-name': 'api' })
    kind: 'functionapp,linux'
    serverFarmResourceId: plan.outputs.resourceId
    managedIdentities: { userAssignedResourceIds: [identityId] }
    keyVaultAccessIdentityResourceId: identityId
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: inboundPrivate ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetResourceId: empty(subnetId) ? null : subnetId
    // azd deploys with an Entra token
    basicPublishingCredentialsPolicies: [
      { name: 'ftp', allow: false }
      { name: 'scm', allow: false }
    ]
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storageBlobEndpoint}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        triggers: {
          http: { perInstanceConcurrency: httpConcurrency }
        }
      }
    }
    siteConfig: {
      // this object must stay: without it the module sends alwaysOn and ftpsState, which Flex Consumption
      // refuses in newer regions (infra/flex-consumption.json)
      http20Enabled: true
      minTlsVersion: '1.2'
      appSettings: [for setting in items(union(ours, keyInVault, apiVersion, hosts, settings)): {
        name: setting.key
        value: string(setting.value)
      }]
    }
  }
}

output id string = site.outputs.resourceId
output name string = site.outputs.name
output address string = 'https://${site.outputs.defaultHostname}'
output deployments string = string(placed)
output spilloverDeployments string = string(placedSpillover)
