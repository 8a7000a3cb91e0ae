// Deployed to the resource group of the Azure OpenAI account, wherever that is. Of an account that
// exists it changes nothing: it reads, and assigns a role.
metadata description = 'Role of callers on an Azure OpenAI account, and what the app must know of it.'

param accountName string

@description('[{ id, type }]: object ids of who calls the deployments.')
param callers array

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

resource user 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for caller in callers: {
  scope: account
  name: guid(account.id, caller.id, 'openai-user')
  properties: {
    principalId: caller.id
    principalType: caller.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Cognitive Services OpenAI User'])
  }
}]

output id string = account.id
output endpoint string = account.properties.endpoint
output location string = toLower(replace(account.location, ' ', ''))
