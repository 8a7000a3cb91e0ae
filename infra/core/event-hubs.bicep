// The hubs that carry the work, and the one that carries what gateways say of their calls.
metadata description = 'Event Hubs namespace with the hubs of the app, without shared access keys.'

param location string
param tags object
param name string

@description('Standard: 7 days of retention at most, a unit is 1 MB/s in and 2 MB/s out. Premium: 90 days, processing units.')
@allowed(['Standard', 'Premium'])
param sku string

@description('Throughput units (Standard) or processing units (Premium).')
@minValue(1)
@maxValue(40)
param capacity int

@description('Standard only: throughput units that the namespace may grow to by itself; 0 switches that off. It never shrinks back.')
@minValue(0)
@maxValue(40)
param maximumCapacity int

@description('Partitions of each hub. One partition has at most one batch of 100 requests under way; it cannot be changed later on Standard.')
@minValue(1)
@maxValue(32)
param partitions int

@description('Days that the hubs of requests keep events. HUB_RETENTION_SECONDS is set to the same.')
@minValue(1)
@maxValue(90)
param retentionDays int

@description('Names of further consumer groups on each hub, for readers besides the app. The app reads by $Default, which each hub has by itself and which is the app\'s alone.')
param consumerGroups array = []

@description('Disabled: reached by private endpoints only.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string

// ports/hubs.py names the hubs; `usage` is of no use after some minutes (docs/usage-events.md)
var hubs = [
  { name: 'requests', retentionHours: retentionDays * 24 }
  { name: 'requests-soon', retentionHours: retentionDays * 24 }
  { name: 'requests-later', retentionHours: retentionDays * 24 }
  { name: 'usage', retentionHours: 1 }
]

resource namespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    tier: sku
    capacity: capacity
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicNetworkAccess
    isAutoInflateEnabled: sku == 'Standard' && maximumCapacity > capacity
    maximumThroughputUnits: sku == 'Standard' && maximumCapacity > capacity ? maximumCapacity : 0
  }
}

// In any case: a namespace that was closed once would otherwise keep the rule `Deny` after it is opened.
resource rules 'Microsoft.EventHub/namespaces/networkRuleSets@2024-01-01' = {
  parent: namespace
  name: 'default'
  properties: {
    publicNetworkAccess: publicNetworkAccess
    defaultAction: publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'
    trustedServiceAccessEnabled: true
  }
}

resource hub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = [for one in hubs: {
  parent: namespace
  name: one.name
  properties: {
    partitionCount: partitions
    retentionDescription: {
      cleanupPolicy: 'Delete'
      retentionTimeInHours: one.retentionHours
    }
  }
}]

resource group 'Microsoft.EventHub/namespaces/eventhubs/consumergroups@2024-01-01' = [for index in range(0, length(hubs) * length(consumerGroups)): {
  parent: hub[index % length(hubs)]
  name: consumerGroups[index / length(hubs)]
}]

output id string = namespace.id
output name string = namespace.name
output host string = '${namespace.name}.servicebus.windows.net'
