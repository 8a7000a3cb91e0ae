// The API of the gateway and its policies. Deployed after the code, since low priority goes to functions
// and each of the two is called with its own key.
metadata description = 'OpenAI API on API Management: policies, fragments, named values.'

param serviceName string
param functionAppName string
param gatewayClientId string

@description('Whether there is a next backend to ask.')
param hasNextBackend bool

@description('Audience of the tokens that callers without a subscription may come with; empty: every caller needs a subscription.')
param jwtAudience string

@description('Claim of the token that names the tenant.')
param tenantClaim string

@description('Roles, one of which such a token must have, comma separated; empty: no role is required.')
param jwtRoles string = ''

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: functionAppName

  resource producer 'functions' existing = {
    name: 'producer'
  }

  resource request 'functions' existing = {
    name: 'request'
  }
}

var values = [
  { name: 'entra-tenant-id', value: tenant().tenantId }
  { name: 'gateway-client-id', value: gatewayClientId }
  { name: 'has-next-backend', value: hasNextBackend ? 'true' : 'false' }
  { name: 'jwt-audience', value: empty(jwtAudience) ? 'none' : jwtAudience }
  { name: 'jwt-roles', value: empty(jwtRoles) ? '*' : jwtRoles }
  { name: 'tenant-claim', value: tenantClaim }
]

resource named 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [for one in values: {
  parent: service
  name: one.name
  properties: {
    displayName: one.name
    value: one.value
  }
}]

resource queueKey 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = {
  parent: service
  name: 'queue-key'
  properties: {
    displayName: 'queue-key'
    secret: true
    value: app::producer.listKeys().default
  }
}

resource queueReadKey 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = {
  parent: service
  name: 'queue-read-key'
  properties: {
    displayName: 'queue-read-key'
    secret: true
    value: app::request.listKeys().default
  }
}

var texts = [
  { name: 'enqueue', text: loadTextContent('policies/fragments/enqueue.xml') }
  { name: 'interactive', text: loadTextContent('policies/fragments/interactive.xml') }
  { name: 'read-back', text: loadTextContent('policies/fragments/read-back.xml') }
  { name: 'tenant', text: loadTextContent('policies/fragments/tenant.xml') }
  { name: 'usage-finished', text: loadTextContent('policies/fragments/usage-finished.xml') }
]

resource fragment 'Microsoft.ApiManagement/service/policyFragments@2024-05-01' = [for one in texts: {
  parent: service
  name: one.name
  properties: {
    format: 'xml'
    value: one.text
  }
  dependsOn: [named, queueKey, queueReadKey]
}]

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'openai'
  properties: {
    displayName: 'Azure OpenAI, and the queue for what can wait'
    path: 'openai'
    protocols: ['https']
    subscriptionRequired: empty(jwtAudience)
    // where OpenAI's SDKs put a key
    subscriptionKeyParameterNames: {
      header: 'api-key'
      query: 'api-key'
    }
  }
}

var deploymentParameter = [{ name: 'deployment-id', type: 'string', required: true }]

var operations = [
  {
    name: 'chat'
    display: 'Chat completions'
    method: 'POST'
    template: '/deployments/{deployment-id}/chat/completions'
    parameters: deploymentParameter
  }
  {
    name: 'other'
    display: 'Any other call of a deployment'
    method: 'POST'
    template: '/deployments/{deployment-id}/*'
    parameters: deploymentParameter
  }
  {
    name: 'queue-chat'
    display: 'Chat completions that can wait'
    method: 'POST'
    template: '/queue/deployments/{deployment-id}/chat/completions'
    parameters: deploymentParameter
  }
  {
    name: 'queue-read'
    display: 'What became of one that waits'
    method: 'GET'
    template: '/queue/requests/{request-id}'
    parameters: [{ name: 'request-id', type: 'string', required: true }]
  }
]

resource operation 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for one in operations: {
  parent: api
  name: one.name
  properties: {
    displayName: one.display
    method: one.method
    urlTemplate: one.template
    templateParameters: one.parameters
  }
}]

resource policy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('policies/openai.xml')
  }
  dependsOn: [fragment, operation]
}
