// Everything that `azd up` creates before there is code. What needs the code (the alert's receiver, the
// API of the gateway) is in postdeploy.bicep.
targetScope = 'subscription'
metadata description = 'Fills the idle part of Azure OpenAI provisioned throughput with queued requests.'

// --- where, and who

@description('Name of the azd environment: part of every name.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region of everything but an Azure OpenAI account that exists.')
@minLength(1)
@metadata({ azd: { type: 'location' } })
param location string

@description('Name of a new resource group, which azd down deletes with all that is in it; empty: rg-<environment>. Never one that holds anything else.')
@maxLength(90)
param resourceGroupName string = ''

@description('Object id of who deploys; azd fills it in.')
param principalId string = deployer().objectId

@allowed(['User', 'ServicePrincipal', 'Group'])
param principalType string = 'User'

@description('Who gets the data roles for local work, and may read the key of request ids. Empty: who deploys. nobody: nobody. Else the object id of a group.')
param dataRoles string = ''

// --- Azure OpenAI

@description('Resource id of the Azure OpenAI account whose idle PTUs are filled, in any resource group or subscription of this tenant. Nothing about it is changed but role assignments and alerts. Empty only with createOpenAiAccount.')
param openAiResourceId string = ''

@description('Create an account instead. It costs nothing until something is deployed on it.')
param createOpenAiAccount bool = false

@description('Further accounts of this tenant with deployments to fill or to spill over to, separated by commas: label=resource id. Nothing about them is changed but role assignments and alerts.')
param furtherOpenAiResources string = ''

@description('PTU deployments to fill, separated by commas: name:model:ptus, or name:model:ptus:spillover, such as gpt-4.1-ptu:gpt-4.1:50. The first is the default one. On a further account: name@label:…, or name=deployment@label:… where the app is to call it by another name than Azure.')
param ptuDeployments string = ''

@description('Pay-as-you-go deployments that they may spill over to: name:model:tpm, or name:model:tpm:rpm; on a further account likewise.')
param spilloverDeployments string = ''

@description('COSTS THOUSANDS A MONTH: creates a PTU deployment of ptuCount PTUs, billed by the hour from its creation until it is deleted, whether it works or not: about 1 USD (global), 1.10 USD (data zone) or 2 USD (regional) per PTU and hour by list price, so 50 PTUs are about 36,500 to 73,000 USD a month without a reservation.')
param createPtuDeployment bool = false

@description('With createPtuDeployment: how many. Never guessed; at least the minimum of the model and in its steps (infra/ptu-models.json).')
@minValue(0)
param ptuCount int = 0

@minLength(1)
@maxLength(64)
param ptuDeploymentName string = 'ptu'

param ptuModel string = 'gpt-4.1'
param ptuModelVersion string = '2025-04-14'

@allowed(['GlobalProvisionedManaged', 'DataZoneProvisionedManaged', 'ProvisionedManaged'])
param ptuSku string = 'GlobalProvisionedManaged'

@description('Creates a pay-as-you-go deployment of the same model for spillover; it is paid by the token.')
param createSpilloverDeployment bool = false

@minLength(1)
@maxLength(64)
param spilloverDeploymentName string = 'payg'

@allowed(['GlobalStandard', 'DataZoneStandard', 'Standard'])
param spilloverSku string = 'GlobalStandard'

@description('Thousands of tokens a minute that it may use.')
@minValue(1)
param spilloverThousandTpm int = 100

@description('Version of the Azure OpenAI API that the app calls, such as 2025-04-01-preview; empty: the app\'s own default.')
param openAiApiVersion string = ''

@description('Monitoring Reader for the app on the subscription of the account, and of each further one with PTU deployments: the metrics are read by an API that asks at that scope. Without it the app goes by headers, 429s, usage events and alerts.')
param assignMonitoringReader bool = true

@description('Also gives who has the data roles the role to call the accounts. Off by default: on an account that exists they often have it, and a role cannot be assigned twice.')
param principalMayCallOpenAi bool = false

// --- size

@description('Partitions of each hub.')
@minValue(1)
@maxValue(32)
param hubPartitions int = 4

@description('Days that the hubs of requests keep events: at most 7 on Standard, 90 on Premium. No deadline may lie beyond it.')
@minValue(1)
@maxValue(90)
param hubRetentionDays int = 7

@allowed(['Standard', 'Premium'])
param eventHubsSku string = 'Standard'

@description('Throughput units (Standard: 1 MB/s in, 2 MB/s out, about 22 USD a month each) or processing units (Premium: 1, 2, 4, 8 or 16).')
@minValue(1)
@maxValue(40)
param eventHubsCapacity int = 1

@description('Standard: throughput units that the namespace may grow to by itself. 0: it does not.')
@minValue(0)
@maxValue(40)
param eventHubsMaximumCapacity int = 0

@description('Further consumer groups on each hub. The app\'s is $Default, alone.')
param consumerGroups array = []

@allowed(['serverless', 'autoscale'])
param cosmosMode string = 'serverless'

@description('With autoscale: the most RU/s, shared by the containers, in steps of 1,000.')
@minValue(1000)
@maxValue(1000000)
param cosmosMaximumThroughput int = 1000

@allowed(['Strong', 'BoundedStaleness', 'Session'])
param cosmosConsistency string = 'Strong'

@minLength(1)
@maxLength(255)
param cosmosDatabase string = 'ptu'

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@description('Memory of an instance. Waiting is billed: a dispatch function that holds requests at a closed gate keeps an instance busy, at 2,048 MB about 137 USD for a month without a pause, and there are three.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Ceiling for all functions together. In normal use there is one instance for HTTP and one for each function that has work: host.json sets the scale target so high that a backlog starts no second one.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('HTTP calls that one instance takes at a time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('[{ name: \'http\', instanceCount: 1 }, { name: \'function:dispatch_requests\', instanceCount: 1 }]: instances that are never stopped. They start without delay, and cost about 21 USD a month each at 2,048 MB when idle; for one that always works they are cheaper than on demand.')
param alwaysReady array = []

@description('Further app settings by name (docs/settings.md), or other values than the template\'s. Never a setting that Flex Consumption refuses (infra/flex-consumption.json). With a REQUEST_ID_KEY of one\'s own the key in the vault is not used.')
param settings object = {}

// --- network

@description('Puts the app into a virtual network, reaches its services by private endpoints, and closes these to the internet.')
param vnetEnabled bool = false

@description('With vnetEnabled: closes the app itself, too. Action groups then cannot call it, nor can azd deploy from outside the network.')
param inboundPrivate bool = false

@description('With vnetEnabled: a private endpoint on each account that exists, which changes it by a connection. One that is created here gets it in any case.')
param openAiPrivateEndpoint bool = false

@description('Address space of the network, a /24 or larger.')
param addressPrefix string = '10.42.0.0/24'

// --- alerts

@description('Who is told of dead letters, an old queue and a stale gauge. Empty: nobody is told, the portal shows them.')
param alertEmail string = ''

@description('How the alert webhook is authenticated: by the function\'s own key, or by an Entra token, which needs an application in the directory (infra/scripts/secure_webhook.py).')
@allowed(['key', 'entra'])
param alertAuthentication string = 'key'

@description('With entra: audiences of the webhook\'s token, its identifier URI and its client id, separated by a comma.')
param alertAudience string = ''

@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

// --- API Management

@description('Adds API Management in front of Azure OpenAI: from about 150 USD a month (BasicV2).')
param apiManagement bool = false

@allowed(['BasicV2', 'StandardV2', 'PremiumV2', 'Developer', 'Basic', 'Standard', 'Premium'])
param apiManagementSku string = 'BasicV2'

param apiManagementPublisherEmail string = ''
param apiManagementPublisherName string = 'PTU optimizer'

@description('Resource id of a further Azure OpenAI account with deployments of the same names, asked when the first refuses or fails.')
param nextOpenAiResourceId string = ''

// --- secrets

@description('First value of the key that signs request ids. Only its first value counts: later ones are ignored, since another key makes all ids unknown.')
@secure()
// checkov:skip=CKV_AZURE_131:the default is drawn afresh for each deployment, it is nobody's known value
param requestIdKey string = '${newGuid()}${newGuid()}'

// --- names

var abbreviations = loadJsonContent('abbreviations.json')
var models = loadJsonContent('ptu-models.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var groupName = empty(resourceGroupName) ? '${abbreviations.resourcesResourceGroups}${environmentName}' : resourceGroupName
var functionAppName = '${abbreviations.webSitesFunctions}${token}'
var deploymentContainer = 'app-package-${take(functionAppName, 32)}'
var openOrNot = vnetEnabled ? 'Disabled' : 'Enabled'
var hubRetentionSeconds = hubRetentionDays * 86400

// azd fills principalId again in each run, so an empty one cannot mean that nobody gets the roles.
var dataPrincipalId = empty(dataRoles) ? principalId : (dataRoles == 'nobody' ? '' : dataRoles)
var dataPrincipalType = empty(dataRoles) ? principalType : 'Group'

// --- which account, where

// Stands in for an account that is not asked for. ARM reads the scope of a module whose condition is false,
// too, and refuses a subscription that is no GUID: so it is the own subscription and group.
var noAccount = '${subscription().id}/resourceGroups/${groupName}/providers/Microsoft.CognitiveServices/accounts/none'
var accountParts = split(empty(openAiResourceId) ? noAccount : openAiResourceId, '/')
var accountSubscription = createOpenAiAccount ? subscription().subscriptionId : accountParts[2]
var accountGroup = createOpenAiAccount ? groupName : accountParts[4]
var accountName = createOpenAiAccount ? '${abbreviations.cognitiveServicesAccounts}${token}' : (empty(openAiResourceId) ? fail('openAiResourceId is missing: the resource id of the Azure OpenAI account whose PTUs are to be filled (azd env set OPENAI_RESOURCE_ID ...), or createOpenAiAccount=true.') : accountParts[8])

// The further accounts, each by a label of the user's.
var furtherTexts = [for one in (empty(furtherOpenAiResources) ? [] : split(furtherOpenAiResources, ',')): split(one, '=')]
var furtherResources = [for one in furtherTexts: {
  label: trim(one[0])
  id: trim(one[1])
  subscription: split(trim(one[1]), '/')[2]
  group: split(trim(one[1]), '/')[4]
  account: split(trim(one[1]), '/')[8]
}]
var furtherLabels = [for one in furtherResources: one.label]

// --- which deployments

var sizes = contains(models, ptuModel) ? models[ptuModel][ptuSku == 'ProvisionedManaged' ? 'regional' : 'wide'] : { minimum: 0, increment: 1 }
var countFits = contains(models, ptuModel) && ptuCount >= sizes.minimum && (ptuCount - sizes.minimum) % sizes.increment == 0
var checkedCount = !createPtuDeployment || countFits ? ptuCount : fail('createPtuDeployment needs a count that ${ptuModel} can have: a line of infra/ptu-models.json, at least ${sizes.minimum} PTUs, in steps of ${sizes.increment}; ptuCount is ${ptuCount}.')

// An entry has the place, the model, the size and perhaps more; a place has the name, or name=deployment,
// and the label of a further account.
var ptuTexts = [for one in (empty(ptuDeployments) ? [] : split(ptuDeployments, ',')): split(one, ':')]
var spilloverTexts = [for one in (empty(spilloverDeployments) ? [] : split(spilloverDeployments, ',')): split(one, ':')]
var ptuPlaces = [for one in ptuTexts: split(one[0], '@')]
var spilloverPlaces = [for one in spilloverTexts: split(one[0], '@')]
var ptuLabels = [for one in ptuPlaces: length(one) > 1 ? trim(one[1]) : '']
var spilloverLabels = [for one in spilloverPlaces: length(one) > 1 ? trim(one[1]) : '']

var namedPtus = [for (one, index) in ptuTexts: {
  label: empty(ptuLabels[index]) || contains(furtherLabels, ptuLabels[index]) ? ptuLabels[index] : fail('ptuDeployments has a deployment on ${ptuLabels[index]}, which furtherOpenAiResources does not name (azd env set FURTHER_OPENAI_RESOURCES ${ptuLabels[index]}=...).')
  entry: union({
    name: trim(split(ptuPlaces[index][0], '=')[0])
    model: trim(one[1])
    ptus: int(trim(one[2]))
  }, length(one) > 3 ? { spillover: trim(one[3]) } : {}, contains(ptuPlaces[index][0], '=') ? { deployment: trim(split(ptuPlaces[index][0], '=')[1]) } : {})
}]

var namedSpillover = [for (one, index) in spilloverTexts: {
  label: empty(spilloverLabels[index]) || contains(furtherLabels, spilloverLabels[index]) ? spilloverLabels[index] : fail('spilloverDeployments has a deployment on ${spilloverLabels[index]}, which furtherOpenAiResources does not name (azd env set FURTHER_OPENAI_RESOURCES ${spilloverLabels[index]}=...).')
  entry: union({
    name: trim(split(spilloverPlaces[index][0], '=')[0])
    model: trim(one[1])
    tpm: int(trim(one[2]))
  }, length(one) > 3 ? { rpm: int(trim(one[3])) } : {}, contains(spilloverPlaces[index][0], '=') ? { deployment: trim(split(spilloverPlaces[index][0], '=')[1]) } : {})
}]

var ptuAsked = union({
  name: ptuDeploymentName
  model: ptuModel
  ptus: checkedCount
}, createSpilloverDeployment ? { spillover: spilloverDeploymentName } : {})
var createdPtu = createPtuDeployment ? [{ label: '', entry: ptuAsked }] : []

var createdSpillover = createSpilloverDeployment ? [{
  label: ''
  entry: {
    name: spilloverDeploymentName
    model: ptuModel
    tpm: spilloverThousandTpm * 1000
  }
}] : []

var filled = concat(createdPtu, namedPtus)
var deployments = empty(filled) ? fail('There is no PTU deployment to fill: ptuDeployments is empty (azd env set PTU_DEPLOYMENTS name:model:ptus) and createPtuDeployment is false.') : filled

var modelFormat = contains(models, ptuModel) && contains(models[ptuModel], 'format') ? models[ptuModel].format : 'OpenAI'

var created = concat(createPtuDeployment ? [{
  name: ptuDeploymentName
  model: ptuModel
  version: ptuModelVersion
  format: modelFormat
  sku: ptuSku
  capacity: checkedCount
}] : [], createSpilloverDeployment ? [{
  name: spilloverDeploymentName
  model: ptuModel
  version: ptuModelVersion
  format: modelFormat
  sku: spilloverSku
  capacity: spilloverThousandTpm
}] : [])

// --- resources

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: tags
}

module identity 'br/public:avm/res/managed-identity/user-assigned-identity:0.4.1' = {
  name: 'identity'
  scope: group
  params: {
    name: '${abbreviations.managedIdentityUserAssignedIdentities}${token}'
    location: location
    tags: tags
  }
}

module monitoring 'core/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: '${abbreviations.operationalInsightsWorkspaces}${token}'
    componentName: '${abbreviations.insightsComponents}${token}'
    retentionDays: logRetentionDays
  }
}

module storage 'core/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.storageStorageAccounts}${token}'
    sku: storageSku
    deploymentContainer: deploymentContainer
    // records end with the latest deadline, the hubs' retention and a lease
    fileDays: hubRetentionDays * 2 + 1
    publicNetworkAccess: openOrNot
  }
}

module eventHubs 'core/event-hubs.bicep' = {
  name: 'event-hubs'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.eventHubNamespaces}${token}'
    sku: eventHubsSku
    capacity: eventHubsCapacity
    maximumCapacity: eventHubsMaximumCapacity
    partitions: hubPartitions
    retentionDays: eventHubsSku == 'Premium' || hubRetentionDays <= 7 ? hubRetentionDays : fail('hubRetentionDays is ${hubRetentionDays}; the Standard tier keeps events for 7 days at most.')
    consumerGroups: consumerGroups
    publicNetworkAccess: openOrNot
  }
}

module cosmos 'core/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.documentDBDatabaseAccounts}${token}'
    database: cosmosDatabase
    mode: cosmosMode
    maximumThroughput: cosmosMaximumThroughput
    consistency: cosmosConsistency
    publicNetworkAccess: openOrNot
  }
}

module vault 'core/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.keyVaultVaults}${token}'
    requestIdKey: requestIdKey
    publicNetworkAccess: openOrNot
  }
}

module openAiAccount 'app/openai-account.bicep' = if (createOpenAiAccount) {
  name: 'openai-account'
  scope: group
  params: {
    location: location
    tags: tags
    name: accountName
    publicNetworkAccess: openOrNot
  }
}

module openAiDeployments 'app/openai-deployments.bicep' = if (!empty(created)) {
  name: 'openai-deployments-${token}'
  scope: resourceGroup(accountSubscription, accountGroup)
  params: {
    tags: union(tags, { 'azd-env-group': group.id })
    accountName: accountName
    deployments: created
  }
  dependsOn: [openAiAccount]
}

module gatewayIdentity 'br/public:avm/res/managed-identity/user-assigned-identity:0.4.1' = if (apiManagement) {
  name: 'gateway-identity'
  scope: group
  params: {
    name: '${abbreviations.managedIdentityUserAssignedIdentities}gateway-${token}'
    location: location
    tags: tags
  }
}

module openAi 'app/openai-access.bicep' = {
  name: 'openai-access-${token}'
  scope: resourceGroup(accountSubscription, accountGroup)
  params: {
    accountName: accountName
    callers: concat([{
      id: identity.outputs.principalId
      type: 'ServicePrincipal'
    }], apiManagement ? [{
      id: gatewayIdentity!.outputs.principalId
      type: 'ServicePrincipal'
    }] : [], principalMayCallOpenAi && !empty(dataPrincipalId) ? [{
      id: dataPrincipalId
      type: dataPrincipalType
    }] : [])
  }
  dependsOn: [openAiAccount, openAiDeployments]
}

module metricsReader 'app/metrics-reader.bicep' = if (assignMonitoringReader) {
  name: 'metrics-reader-${token}'
  scope: subscription(accountSubscription)
  params: {
    principalId: identity.outputs.principalId
  }
}

module furtherOpenAi 'app/openai-access.bicep' = [for (one, index) in furtherResources: {
  name: 'further-openai-access-${index}-${token}'
  scope: resourceGroup(one.subscription, one.group)
  params: {
    accountName: one.account
    callers: concat([{
      id: identity.outputs.principalId
      type: 'ServicePrincipal'
    }], principalMayCallOpenAi && !empty(dataPrincipalId) ? [{
      id: dataPrincipalId
      type: dataPrincipalType
    }] : [])
  }
}]

// The role is assigned once in each subscription: a second assignment of it is refused. An account without
// PTU deployments has no metric to be read. Without further accounts nothing here is evaluated: `union` over
// subscription() may not be known before the deployment.
var firstReads = toLower(accountSubscription)
var furtherReads = [for one in furtherResources: contains(ptuLabels, one.label) ? toLower(one.subscription) : firstReads]
var furtherSubscriptions = skip(union([firstReads], furtherReads), 1)

module furtherMetricsReader 'app/metrics-reader.bicep' = [for (one, index) in (assignMonitoringReader && !empty(furtherResources) ? furtherSubscriptions : []): {
  name: 'further-metrics-reader-${index}-${token}'
  scope: subscription(one)
  params: {
    principalId: identity.outputs.principalId
  }
}]

module appStorageRole 'app/storage-role.bicep' = {
  name: 'app-storage-role'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    principalType: 'ServicePrincipal'
    storageAccountName: storage.outputs.name
  }
}

module appRoles 'app/roles.bicep' = {
  name: 'app-roles'
  scope: group
  params: {
    principalId: identity.outputs.principalId
    principalType: 'ServicePrincipal'
    eventHubNamespaceName: eventHubs.outputs.name
    cosmosAccountName: cosmos.outputs.name
    cosmosDatabase: cosmos.outputs.database
    keyVaultName: vault.outputs.name
    secretName: vault.outputs.secretName
    componentName: monitoring.outputs.componentName
  }
}

module principalStorageRole 'app/storage-role.bicep' = if (!empty(dataPrincipalId)) {
  name: 'principal-storage-role'
  scope: group
  params: {
    principalId: dataPrincipalId
    principalType: dataPrincipalType
    storageAccountName: storage.outputs.name
  }
}

module principalRoles 'app/roles.bicep' = if (!empty(dataPrincipalId)) {
  name: 'principal-roles'
  scope: group
  params: {
    principalId: dataPrincipalId
    principalType: dataPrincipalType
    eventHubNamespaceName: eventHubs.outputs.name
    cosmosAccountName: cosmos.outputs.name
    cosmosDatabase: cosmos.outputs.database
    // a local app with another key would make dead letters of what it accepts
    keyVaultName: vault.outputs.name
    secretName: vault.outputs.secretName
  }
  // an account takes one change of its roles at a time
  dependsOn: [appRoles]
}

module network 'core/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.networkVirtualNetworks}${token}'
    addressPrefix: addressPrefix
  }
}

module functionApp 'app/function-app.bicep' = {
  name: 'app'
  scope: group
  params: {
    location: location
    tags: tags
    planName: '${abbreviations.webServerFarms}${token}'
    name: functionAppName
    identityId: identity.outputs.resourceId
    identityClientId: identity.outputs.clientId
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
    inboundPrivate: vnetEnabled && inboundPrivate
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    storageBlobEndpoint: storage.outputs.blobEndpoint
    deploymentContainer: deploymentContainer
    eventHubsHost: eventHubs.outputs.host
    cosmosEndpoint: cosmos.outputs.endpoint
    cosmosDatabase: cosmos.outputs.database
    requestIdKeyUri: vault.outputs.secretUri
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    openAiEndpoint: openAi.outputs.endpoint
    openAiResourceId: openAi.outputs.id
    openAiLocation: openAi.outputs.location
    openAiApiVersion: openAiApiVersion
    deployments: deployments
    spilloverDeployments: concat(createdSpillover, namedSpillover)
    furtherAccounts: [for (one, index) in furtherResources: {
      label: one.label
      place: {
        endpoint: furtherOpenAi[index].outputs.endpoint
        resource_id: furtherOpenAi[index].outputs.id
        monitor_endpoint: 'https://${furtherOpenAi[index].outputs.location}.metrics.monitor.azure.com'
      }
    }]
    hubRetentionSeconds: hubRetentionSeconds
    alertAuthentication: alertAuthentication
    alertTenantId: alertAuthentication == 'entra' ? tenant().tenantId : ''
    alertAudience: alertAudience
    settings: settings
  }
  // the app reads the vault and the hubs, and its host the storage, as soon as they start: by then the roles
  // must be there and, where the services are closed, the way to them
  dependsOn: [appRoles, appStorageRole, dataEndpoints]
}

// An account of kind OpenAI answers in the first zone, one of kind AIServices in the others, too.
var openAiZones = [
  'privatelink.openai.azure.com'
  'privatelink.cognitiveservices.azure.com'
  'privatelink.services.ai.azure.com'
]

var furtherEndpoints = [for one in furtherResources: {
  name: '${abbreviations.networkPrivateEndpoints}openai-${one.label}-${token}'
  resourceId: one.id
  groupId: 'account'
  zones: openAiZones
}]

module dataEndpoints 'core/private-endpoints.bicep' = if (vnetEnabled) {
  name: 'data-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    zones: concat([
      'privatelink.blob.${environment().suffixes.storage}'
      'privatelink.servicebus.windows.net'
      'privatelink.documents.azure.com'
      'privatelink.vaultcore.azure.net'
    ], createOpenAiAccount || openAiPrivateEndpoint ? openAiZones : [])
    endpoints: concat([
      {
        name: '${abbreviations.networkPrivateEndpoints}blob-${token}'
        resourceId: storage.outputs.id
        groupId: 'blob'
        zones: ['privatelink.blob.${environment().suffixes.storage}']
      }
      {
        name: '${abbreviations.networkPrivateEndpoints}event-hubs-${token}'
        resourceId: eventHubs.outputs.id
        groupId: 'namespace'
        zones: ['privatelink.servicebus.windows.net']
      }
      {
        name: '${abbreviations.networkPrivateEndpoints}cosmos-${token}'
        resourceId: cosmos.outputs.id
        groupId: 'Sql'
        zones: ['privatelink.documents.azure.com']
      }
      {
        name: '${abbreviations.networkPrivateEndpoints}vault-${token}'
        resourceId: vault.outputs.id
        groupId: 'vault'
        zones: ['privatelink.vaultcore.azure.net']
      }
    ], createOpenAiAccount || openAiPrivateEndpoint ? [
      {
        name: '${abbreviations.networkPrivateEndpoints}openai-${token}'
        resourceId: openAi.outputs.id
        groupId: 'account'
        zones: openAiZones
      }
    ] : [], openAiPrivateEndpoint ? furtherEndpoints : [])
  }
}

// Apart from the others, which the app needs when it starts.
module appEndpoint 'core/private-endpoints.bicep' = if (vnetEnabled && inboundPrivate) {
  name: 'app-endpoint'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointSubnetId
    zones: ['privatelink.azurewebsites.net']
    endpoints: [
      {
        name: '${abbreviations.networkPrivateEndpoints}app-${token}'
        resourceId: functionApp.outputs.id
        groupId: 'sites'
        zones: ['privatelink.azurewebsites.net']
      }
    ]
  }
}

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    actionGroupName: '${abbreviations.insightsActionGroups}people-${token}'
    email: alertEmail
    cosmosAccountName: cosmos.outputs.name
    workspaceId: monitoring.outputs.workspaceId
    hubRetentionSeconds: hubRetentionSeconds
    assignMonitoringReader: assignMonitoringReader
  }
}

var nextParts = split(empty(nextOpenAiResourceId) ? noAccount : nextOpenAiResourceId, '/')

module nextOpenAi 'app/openai-access.bicep' = if (apiManagement && !empty(nextOpenAiResourceId)) {
  name: 'next-openai-access-${token}'
  scope: resourceGroup(nextParts[2], nextParts[4])
  params: {
    accountName: nextParts[8]
    callers: [{
      id: gatewayIdentity!.outputs.principalId
      type: 'ServicePrincipal'
    }]
  }
}

module gateway 'app/api-management.bicep' = if (apiManagement) {
  name: 'api-management'
  scope: group
  params: {
    location: location
    tags: tags
    name: '${abbreviations.apiManagementService}${token}'
    sku: apiManagementSku
    publisherEmail: empty(apiManagementPublisherEmail) ? fail('apiManagement needs apiManagementPublisherEmail.') : apiManagementPublisherEmail
    publisherName: apiManagementPublisherName
    identityId: gatewayIdentity!.outputs.resourceId
    identityClientId: gatewayIdentity!.outputs.clientId
    identityPrincipalId: gatewayIdentity!.outputs.principalId
    eventHubNamespaceName: eventHubs.outputs.name
    openAiEndpoint: openAi.outputs.endpoint
    nextOpenAiEndpoint: empty(nextOpenAiResourceId) ? '' : nextOpenAi!.outputs.endpoint
    functionAppAddress: functionApp.outputs.address
  }
}

// --- what the hooks and local work need, as environment variables

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_TENANT_ID string = tenant().tenantId
output FUNCTION_APP_NAME string = functionApp.outputs.name
output FUNCTION_APP_ADDRESS string = functionApp.outputs.address
output EVENT_HUBS__fullyQualifiedNamespace string = eventHubs.outputs.host
output COSMOS__accountEndpoint string = cosmos.outputs.endpoint
output COSMOS_DATABASE string = cosmos.outputs.database
output AzureWebJobsStorage__blobServiceUri string = storage.outputs.blobEndpoint
output AZURE_OPENAI_ENDPOINT string = openAi.outputs.endpoint
output AZURE_OPENAI_RESOURCE_ID string = openAi.outputs.id
output AZURE_MONITOR_ENDPOINT string = 'https://${openAi.outputs.location}.metrics.monitor.azure.com'
output DEPLOYMENTS string = functionApp.outputs.deployments
output SPILLOVER_DEPLOYMENTS string = functionApp.outputs.spilloverDeployments
output KEY_VAULT_NAME string = vault.outputs.name
output REQUEST_ID_KEY_URI string = contains(settings, 'REQUEST_ID_KEY') ? '' : vault.outputs.secretUri
output APP_PRINCIPAL_ID string = identity.outputs.principalId
output APP_STORAGE_ROLE_ID string = appStorageRole.outputs.id
output API_MANAGEMENT_NAME string = apiManagement ? gateway!.outputs.name : ''
output API_MANAGEMENT_ADDRESS string = apiManagement ? gateway!.outputs.address : ''
output GATEWAY_CLIENT_ID string = apiManagement ? gatewayIdentity!.outputs.clientId : ''
output GATEWAY_PRINCIPAL_ID string = apiManagement ? gatewayIdentity!.outputs.principalId : ''
