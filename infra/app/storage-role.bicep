// The role on the storage account, apart from the other roles. azd deploys the code as the app's
// identity and does not try again when this role has not spread yet, so it is assigned as early as it can
// be: once there is the account, while everything else is still being created.
metadata description = 'Role assignment of one principal on the blobs of the storage account.'

param principalId string

@allowed(['ServicePrincipal', 'User', 'Group'])
param principalType string

param storageAccountName string

var roles = loadJsonContent('../roles.json')

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageAccountName
}

// The host creates containers of its own and takes leases: it asks for Owner on the account, which
// holds nothing else.
resource blobOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: storage
  name: guid(storage.id, principalId, 'blob-owner')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Owner'])
  }
}

output id string = blobOwner.id
