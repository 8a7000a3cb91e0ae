// What a principal may do on the app's own services, each role on the narrowest scope that works. The
// role on the storage account is in storage-role.bicep.
metadata description = 'Role assignments of one principal on the services of the app.'

param principalId string

@allowed(['ServicePrincipal', 'User', 'Group'])
param principalType string

param eventHubNamespaceName string
param cosmosAccountName string
param cosmosDatabase string

@description('The vault and the secret in it that may be read.')
param keyVaultName string = ''
param secretName string = ''

@description('Where logs and traces are written to; empty for a person, who writes none.')
param componentName string = ''

var roles = loadJsonContent('../roles.json')

// The hub `usage` is filled by gateways, never by the app.
var sends = ['requests', 'requests-soon', 'requests-later']
var receives = ['requests', 'requests-soon', 'requests-later', 'usage']

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: eventHubNamespaceName
}

resource sentTo 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = [for hub in sends: {
  parent: namespace
  name: hub
}]

resource receivedFrom 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' existing = [for hub in receives: {
  parent: namespace
  name: hub
}]

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (hub, index) in sends: {
  scope: sentTo[index]
  name: guid(namespace.id, hub, principalId, 'sender')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Azure Event Hubs Data Sender'])
  }
}]

resource receiver 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (hub, index) in receives: {
  scope: receivedFrom[index]
  name: guid(namespace.id, hub, principalId, 'receiver')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Azure Event Hubs Data Receiver'])
  }
}]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: cosmosAccountName
}

// On the database, not the account: data only, and only the app's.
resource contributor 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = {
  parent: account
  name: guid(account.id, cosmosDatabase, principalId, 'contributor')
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${roles['Cosmos DB Built-in Data Contributor']}'
    scope: '${account.id}/dbs/${cosmosDatabase}'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = if (!empty(keyVaultName)) {
  name: empty(keyVaultName) ? 'none' : keyVaultName

  resource secret 'secrets' existing = {
    name: empty(secretName) ? 'none' : secretName
  }
}

// To read the secret, and to list its versions as far as a role on the secret alone allows it.
resource secretUser 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(keyVaultName)) {
  scope: vault::secret
  name: guid(resourceGroup().id, keyVaultName, secretName, principalId, 'secret-user')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets User'])
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = if (!empty(componentName)) {
  name: empty(componentName) ? 'none' : componentName
}

resource metricsPublisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(componentName)) {
  scope: component
  name: guid(resourceGroup().id, componentName, principalId, 'metrics-publisher')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Monitoring Metrics Publisher'])
  }
}
