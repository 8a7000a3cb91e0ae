// Deployed to the resource group of an Azure OpenAI account: rules that brake the queue, two for each
// deployment that it fills there.
metadata description = 'Alerts on refused calls and on utilization, per PTU deployment.'

param tags object
param accountName string

@description('[{ name, deployment }]: the PTU deployments of this account. The app\'s names make the names of the rules: several accounts of one resource group may have deployments of one name. deployment: its name in Azure.')
param deployments array

param actionGroupId string

@description('Begins the names of the rules: another app may fill the same account.')
param prefix string

@description('Refused calls in a minute beyond which the queue brakes. The metric does not tell whose calls were refused: a few of our own probes are no reason.')
@minValue(0)
param refusalThreshold int

@description('Percent, average of a minute, beyond which the queue brakes. The queue keeps the level at a few per cent and never sends more than the deployment drains, so its own fill comes up to 100 if the metric means load, and stays far below if it means level. Only what others add goes beyond.')
@minValue(50)
param utilizationThreshold int

@description('Name of the metric of utilization: accounts of kind OpenAI publish AzureOpenAIProvisionedManagedUtilizationV2, accounts of kind AIServices ProvisionedUtilization.')
@allowed(['AzureOpenAIProvisionedManagedUtilizationV2', 'ProvisionedUtilization'])
param utilizationMetric string

resource account 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  name: accountName
}

resource refusals 'Microsoft.Insights/metricAlerts@2018-03-01' = [for deployment in deployments: {
  name: '${prefix}-refusals-${deployment.name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Calls to ${deployment.name} are refused: interactive traffic needs all of it.'
    severity: 2
    enabled: true
    // a brake that is not resolved would last until it expires
    autoMitigate: true
    scopes: [account.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT1M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'refused'
          metricNamespace: 'Microsoft.CognitiveServices/accounts'
          metricName: 'AzureOpenAIRequests'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: refusalThreshold
          dimensions: [
            { name: 'ModelDeploymentName', operator: 'Include', values: [deployment.deployment] }
            { name: 'StatusCode', operator: 'Include', values: ['429'] }
          ]
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}]

resource utilization 'Microsoft.Insights/metricAlerts@2018-03-01' = [for deployment in deployments: {
  name: '${prefix}-utilization-${deployment.name}'
  location: 'global'
  tags: tags
  properties: {
    description: '${deployment.name} is fuller than the queue alone makes it.'
    severity: 3
    enabled: true
    autoMitigate: true
    scopes: [account.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT1M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'full'
          metricNamespace: 'Microsoft.CognitiveServices/accounts'
          metricName: utilizationMetric
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: utilizationThreshold
          dimensions: [
            { name: 'ModelDeploymentName', operator: 'Include', values: [deployment.deployment] }
          ]
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}]
