// The ledger. One write region and Strong consistency: a request is claimed by creating a record, and
// who creates second must be refused, everywhere (docs/ledger.md).
metadata description = 'Cosmos DB for NoSQL with the containers of the app, without account keys.'

param location string
param tags object
param name string

@minLength(1)
@maxLength(255)
param database string

@description('serverless: paid by request unit, nothing when idle; a physical partition gives at most 5,000 a second. autoscale: from a tenth of the maximum up to it, paid by the hour.')
@allowed(['serverless', 'autoscale'])
param mode string

@description('With autoscale: the most RU/s that the containers share, in steps of 1,000.')
@minValue(1000)
@maxValue(1000000)
param maximumThroughput int

@description('Strong is what the ledger\'s rules are proven with. Session is cheaper to read; then a take-over may wait for a read that is not the newest.')
@allowed(['Strong', 'BoundedStaleness', 'Session'])
param consistency string

@description('Disabled: reached by private endpoints only.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

// the definition that the local system uses too: partition keys, TTL and indexes exist once
var containers = loadJsonContent('../../local/cosmos/containers.json')

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' = {
  // checkov:skip=CKV_AZURE_101:disabled with vnetEnabled; without it the app reaches the account from the internet, by its identity
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: mode == 'serverless' ? [{ name: 'EnableServerless' }] : []
    // with one region the least that BoundedStaleness may have is the nearest to Strong
    consistencyPolicy: consistency == 'BoundedStaleness' ? {
      defaultConsistencyLevel: consistency
      maxStalenessPrefix: 10
      maxIntervalInSeconds: 5
    } : { defaultConsistencyLevel: consistency }
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: false
      }
    ]
    enableMultipleWriteLocations: false
    enableAutomaticFailover: false
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicNetworkAccess
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: { tier: 'Continuous7Days' }
    }
  }
}

resource store 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: database
  properties: {
    resource: { id: database }
    options: mode == 'autoscale' ? { autoscaleSettings: { maxThroughput: maximumThroughput } } : {}
  }
}

resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = [for one in containers: {
  parent: store
  name: one.id
  properties: {
    resource: one
    options: {}
  }
}]

output id string = account.id
output name string = account.name
output endpoint string = account.properties.documentEndpoint
output database string = store.name
