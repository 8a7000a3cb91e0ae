// For the one secret that cannot be avoided: the key that signs request ids.
metadata description = 'Key Vault with the key of request ids, created once and never written over.'

param location string
param tags object
param name string

@description('The first value of the secret. Ignored once the secret exists.')
@secure()
param requestIdKey string

@description('Disabled: reached by private endpoints only.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109:the firewall denies with vnetEnabled; without it there is no network to allow, and roles decide
  // checkov:skip=CKV_AZURE_189:disabled with vnetEnabled; without it the app reaches the vault from the internet, by its identity
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    // without the key no id that was given out is known any more: it must not be lost
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    }
  }
}

// Another value makes every id that was given out unknown and every queued event a dead letter, so a
// later `azd provision` must leave the secret alone. Bicep 0.38 or newer.
@onlyIfNotExists()
resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  // checkov:skip=CKV_AZURE_41:an expiry would end every id that was given out
  parent: vault
  name: 'request-id-key'
  properties: {
    contentType: 'HMAC key of request ids'
    value: requestIdKey
    attributes: { enabled: true }
  }
}

output id string = vault.id
output name string = vault.name
output secretName string = secret.name
output secretUri string = '${vault.properties.vaultUri}secrets/${secret.name}'
