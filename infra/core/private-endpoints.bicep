// Private endpoints, and the DNS zones that their services' names are looked up in.
metadata description = 'Private endpoints, and the private DNS zones of their services.'

param location string
param tags object
param networkId string
param subnetId string

@description('Names of the DNS zones, each once.')
param zones array

@description('[{ name, resourceId, groupId, zones }]: what to reach, by which of its sub-resources, under which of the DNS zones.')
param endpoints array

module zone 'br/public:avm/res/network/private-dns-zone:0.7.1' = [for zoneName in zones: {
  name: 'dns-${zoneName}'
  params: {
    name: zoneName
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

module endpoint 'br/public:avm/res/network/private-endpoint:0.11.0' = [for one in endpoints: {
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
      // by name, not by the modules' outputs: an endpoint may have several zones
      privateDnsZoneGroupConfigs: [for zoneName in one.zones: {
        privateDnsZoneResourceId: resourceId('Microsoft.Network/privateDnsZones', zoneName)
      }]
    }
  }
  dependsOn: [zone]
}]
