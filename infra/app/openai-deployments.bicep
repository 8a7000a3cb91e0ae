// Deployments that were asked for, in the resource group of their account. PTUs cost thousands a month.
metadata description = 'PTU and pay-as-you-go deployments on an Azure OpenAI account.'

@description('azd-env-name and azd-env-group: whose they are. A deployment of these names without the tags is somebody else\'s, and preprovision refuses to change it.')
param tags object

param accountName string

@description('[{ name, model, version, format, sku, capacity }]')
param deployments array

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

// An account takes one change at a time. No spilloverDeploymentName: the queue's calls would silently
// be paid by the token (docs/operations.md).
@batchSize(1)
resource deployment 'Microsoft.CognitiveServices/accounts/deployments@2025-06-01' = [for one in deployments: {
  parent: account
  name: one.name
  tags: tags
  sku: {
    name: one.sku
    capacity: one.capacity
  }
  properties: {
    model: {
      format: one.format
      name: one.model
      version: one.version
    }
    versionUpgradeOption: 'NoAutoUpgrade'
  }
}]
