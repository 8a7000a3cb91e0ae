// One storage account: the deployed package, what the Functions host keeps (checkpoints, leases,
// keys), and the app's large inputs and outcomes.
metadata description = 'Storage for deployment, host and files, without account keys.'

param location string
param tags object
param name string

@description('Replication. Zone-redundant by default, where the region has zones; Standard_LRS elsewhere.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string

@description('Where azd puts the package.')
param deploymentContainer string

@description('Days after which inputs and outcomes of requests are deleted: they must outlive the latest deadline and the hubs\' retention.')
@minValue(2)
param fileDays int

@description('Disabled: reached by private endpoints only.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

// what the app calls its container (ptu_optimizer/adapters/blobs.py); it would create it itself
var filesContainer = 'ptu-optimizer'

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35:denied with vnetEnabled; without it there is no network to allow, and there are no keys
  // checkov:skip=CKV_AZURE_206:zone-redundant by default; a parameter, since not every region has zones
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: publicNetworkAccess
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for container in [deploymentContainer, filesContainer]: {
  parent: blobs
  name: container
  properties: { publicAccess: 'None' }
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'files-of-requests-that-are-over'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${filesContainer}/inputs/', '${filesContainer}/outcomes/']
            }
            actions: {
              baseBlob: { delete: { daysAfterCreationGreaterThan: fileDays } }
            }
          }
        }
      ]
    }
  }
}

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
