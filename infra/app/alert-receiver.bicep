// The action group that calls the function `capacity_alert`. Deployed after the code: a function that
// does not exist has no key.
metadata description = 'Action group that brakes the queue, by the key of one function or by Entra token.'

param tags object
param actionGroupName string
param functionAppName string

@description('key: the function\'s own key, which opens nothing else; it is read here, goes through no shell, and the action group keeps it. entra: a secure webhook, without any key.')
@allowed(['key', 'entra'])
param authentication string

@description('With entra: object id and identifier URI of the application that stands for the webhook, and its tenant.')
param webhookObjectId string
param webhookIdentifierUri string
param webhookTenantId string

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: functionAppName
}

resource alerted 'Microsoft.Web/sites/functions@2024-11-01' existing = {
  parent: app
  name: 'capacity_alert'
}

var address = 'https://${app.properties.defaultHostName}/capacity/alert'

resource brake 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'ptu-brake'
    enabled: true
    azureFunctionReceivers: authentication == 'key' ? [
      {
        name: 'capacity-alert'
        functionAppResourceId: app.id
        functionName: 'capacity_alert'
        httpTriggerUrl: '${address}?code=${alerted.listKeys().default}'
        useCommonAlertSchema: true
      }
    ] : []
    webhookReceivers: authentication == 'entra' ? [
      {
        name: 'capacity-alert'
        serviceUri: address
        useCommonAlertSchema: true
        useAadAuth: true
        objectId: webhookObjectId
        identifierUri: webhookIdentifierUri
        tenantId: webhookTenantId
      }
    ] : []
  }
}

output id string = brake.id
