// Only with createOpenAiAccount: an Azure OpenAI account of the app's own.
metadata description = 'Azure OpenAI account without local authentication.'

param location string
param tags object
param name string

@description('Disabled: reached by private endpoints only.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_134:disabled with vnetEnabled; without it callers reach the account from the internet, by their identities
  // checkov:skip=CKV_AZURE_238:the account reads nothing of anybody's, so it needs no identity
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: { name: 'S0' }
  properties: {
    // tokens are accepted by the address of the account's own only
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: { defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny' }
  }
}

output id string = account.id
