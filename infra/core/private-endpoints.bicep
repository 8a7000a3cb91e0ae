// A private endpoint and its DNS zone for each service that is named.
metadata description = 'Private endpoints, each with the private DNS zone of its service.'

param location string
param tags object
param networkId string
param subnetId string

@description('[{ name, resourceId, groupId, zone }]: what to reach, by which of its sub-resources, under which DNS zone.')
param endpoints array

module zone 'br/public:avm/res/network/private-dns-zone:0.7.1' = [for one in endpoints: {
  name: 'dns-${one.name}'
  params: {
    name: one.zone
    location: 'global'
    tags: tags
    virtualNetworkLinks: [
      {
        virtualNetworkResourceId: networkId
        registrationEnabled: false
      }
    ]
  }
}]

module endpoint 'br/public:avm/res/network/private-endpoint:0.11.0' = [for (one, index) in endpoints: {
  name: 'endpoint-${one.name}'
  params: {
    name: one.name
    location: location
    tags: tags
    subnetResourceId: subnetId
    privateLinkServiceConnections: [
      {
        name: one.name
        properties: {
          privateLinkServiceId: one.resourceId
          groupIds: [one.groupId]
        }
      }
    ]
    privateDnsZoneGroup: {
      privateDnsZoneGroupConfigs: [{ privateDnsZoneResourceId: zone[index].outputs.resourceId }]
    }
  }
}]
