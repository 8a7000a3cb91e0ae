// Alerts for people, on the app's own services. What brakes the queue is in openai-alerts.bicep.
// docs/operations.md says what each means and what to do.
metadata description = 'Alerts on dead letters, on the age of the queue and on a stale gauge.'

param location string
param tags object
param actionGroupName string

@description('Who is told by e-mail; empty: the alerts are shown in the portal only.')
param email string

param cosmosAccountName string
param workspaceId string
param hubRetentionSeconds int

@description('Whether the app may read the metric. Without the role no reading ever comes, which is no fault.')
param assignMonitoringReader bool

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'ptu-people'
    enabled: true
    emailReceivers: empty(email) ? [] : [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: cosmosAccountName
}

// By the store's metric, not by the log: a metric is not sampled.
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'An event could not be decoded, or its id was not issued by this app. Look into the container dead_letters; often somebody else writes to a hub, or REQUEST_ID_KEY was changed.'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [account.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'written'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'TotalRequests'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            { name: 'CollectionName', operator: 'Include', values: ['dead_letters'] }
            { name: 'OperationType', operator: 'Include', values: ['Create', 'Upsert'] }
          ]
        }
      ]
    }
    actions: [{ actionGroupId: people.id }]
  }
}

// Both rules on the log skip the check of their queries: the tables of a workspace that is minutes old do
// not exist yet.

// The sweep says every two minutes how old the oldest event is that nobody has dealt with. Beyond the
// retention the hub drops events; the sweep publishes them again, but late.
resource queueAge 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'queue-age'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Events wait for more than half of what the hubs retain'
    description: 'Either the deployment has too little room for what is queued, or a dispatch function does not run. Look at GET /capacity and at the partitions in the log.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [workspaceId]
    skipQueryValidation: true
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            AppTraces
            | where Message startswith "how far the hubs are read:"
            | extend behind = todouble(extract(@"behind_seconds=([0-9.]+)", 1, Message))
            | where isnotnull(behind)
            | summarize behind = min(behind)
            | where isnotnull(behind)
          '''
          timeAggregation: 'Maximum'
          metricMeasureColumn: 'behind'
          operator: 'GreaterThan'
          threshold: hubRetentionSeconds / 2
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [people.id] }
  }
}

// A row in any case: no telemetry at all is what it is about, too.
resource staleGauge 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'stale-gauge'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'The gauge has not read the metric for a quarter of an hour'
    description: 'The timer does not run, or Azure Monitor cannot be read: often the identity lacks Monitoring Reader on the subscription of the Azure OpenAI account. Without it the app goes by headers, 429s and usage events, or probes.'
    severity: 2
    // not a condition on the rule: that would leave an existing rule as it is, and it would keep firing
    enabled: assignMonitoringReader
    autoMitigate: true
    scopes: [workspaceId]
    skipQueryValidation: true
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            let runs = toscalar(AppRequests | where Name == "gauge" and Success == true | count);
            let unread = toscalar(AppTraces | where Message startswith "the metric cannot be read" | count);
            print readings = runs - unread
          '''
          timeAggregation: 'Minimum'
          metricMeasureColumn: 'readings'
          operator: 'LessThan'
          threshold: 1
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [people.id] }
  }
}

output actionGroupId string = people.id
