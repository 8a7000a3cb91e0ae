// Only with apiManagement: the gateway in front of Azure OpenAI. What needs a function's key is in
// api-management-api.bicep, which is deployed after the code.
metadata description = 'API Management with its own identity, backends, and a logger to the hub usage.'

param location string
param tags object
param name string

@allowed(['BasicV2', 'StandardV2', 'PremiumV2', 'Developer', 'Basic', 'Standard', 'Premium'])
param sku string

@description('Shown to developers, and told when something is the matter with the service.')
param publisherEmail string
param publisherName string

param identityId string
param identityClientId string
param identityPrincipalId string
param eventHubNamespaceName string
param openAiEndpoint string

@description('Endpoint of another account with deployments of the same names, asked when the first refuses or fails; empty: there is none.')
param nextOpenAiEndpoint string

param functionAppAddress string

var roles = loadJsonContent('../roles.json')

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: eventHubNamespaceName

  resource usage 'eventhubs' existing = {
    name: 'usage'
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: namespace::usage
  name: guid(namespace.id, 'usage', identityPrincipalId, 'sender')
  properties: {
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Azure Event Hubs Data Sender'])
  }
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  // checkov:skip=CKV_AZURE_107:the gateway is called from the internet; whoever wants it inside a network brings the network's tier
  // checkov:skip=CKV_AZURE_174:its callers are outside; a subscription or a token is asked of each
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: 1
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    publisherEmail: publisherEmail
    publisherName: publisherName
  }
}

resource logger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'usage'
  properties: {
    loggerType: 'azureEventHub'
    description: 'Usage events (docs/usage-events.md)'
    credentials: {
      endpointAddress: '${namespace.name}.servicebus.windows.net'
      identityClientId: identityClientId
      name: namespace::usage.name
    }
  }
  dependsOn: [sender]
}

resource openAi 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'openai'
  properties: {
    protocol: 'http'
    url: '${openAiEndpoint}openai'
  }
}

// There in any case: a policy cannot name a backend that does not exist. `has-next-backend` says
// whether it is ever asked.
resource openAiNext 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'openai-next'
  properties: {
    protocol: 'http'
    url: '${empty(nextOpenAiEndpoint) ? openAiEndpoint : nextOpenAiEndpoint}openai'
  }
}

resource queue 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'queue'
  properties: {
    protocol: 'http'
    url: functionAppAddress
  }
}

output name string = service.name
output address string = service.properties.gatewayUrl
