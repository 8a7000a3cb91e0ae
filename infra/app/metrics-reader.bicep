// Deployed to the subscription of the Azure OpenAI account. The metrics batch API (metrics:getBatch)
// asks at subscription scope: with the role on the account alone every query is a 401 (Microsoft,
// "Migrate from the metrics API to the getBatch API"). It reads metrics and settings of everything in
// the subscription and changes nothing.
targetScope = 'subscription'
metadata description = 'Monitoring Reader on a subscription.'

param principalId string

var roles = loadJsonContent('../roles.json')

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, 'monitoring-reader')
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Monitoring Reader'])
  }
}
