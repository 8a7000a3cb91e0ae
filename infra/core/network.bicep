// With vnetEnabled: the network that the app calls out of, and where the private endpoints are.
metadata description = 'Virtual network with a subnet for the app and one for private endpoints.'

param location string
param tags object
param name string

@description('Address space; the app\'s subnet gets its first half, the private endpoints the third quarter.')
param addressPrefix string

module network 'br/public:avm/res/network/virtual-network:0.6.1' = {
  name: 'virtual-network'
  params: {
    name: name
    location: location
    tags: tags
    addressPrefixes: [addressPrefix]
    subnets: [
      {
        name: 'app'
        addressPrefix: cidrSubnet(addressPrefix, 25, 0)
        // Flex Consumption asks for this delegation; a /27 would carry 27 instances
        delegation: 'Microsoft.App/environments'
      }
      {
        name: 'private-endpoints'
        addressPrefix: cidrSubnet(addressPrefix, 26, 2)
        privateEndpointNetworkPolicies: 'Disabled'
      }
    ]
  }
}

output id string = network.outputs.resourceId
output appSubnetId string = '${network.outputs.resourceId}/subnets/app'
output endpointSubnetId string = '${network.outputs.resourceId}/subnets/private-endpoints'
